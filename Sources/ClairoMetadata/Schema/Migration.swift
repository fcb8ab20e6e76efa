internal import ClairoCore

/// One step of the schema. Steps that have been released are never changed; a new one follows.
struct Migration: Sendable {
    /// 1, 2, 3…
    var version: Int
    var name: String
    /// Statements that do no harm when they are run again: MySQL commits each DDL statement by itself, so a crash may leave
    /// a step half done and unrecorded.
    var statements: @Sendable (SQLDialect) -> [String]

    static let all = [
        Migration(version: 1, name: "videos, uploads, jobs, tasks, renditions, outbox, inbox, queue, dead letters") {
            dialect in
            Schema1.tables(dialect).flatMap { $0.statements(dialect) }
        },
        // Nothing ever read it: who takes a message does its work by conditional updates, which a second copy finds done.
        Migration(version: 2, name: "drop inbox") { _ in ["DROP TABLE IF EXISTS inbox"] },
    ]

    /// The version that this program knows.
    static var programVersion: Int { all.map(\.version).max() ?? 0 }

    /// The table that records what was applied.
    static func recordTable(_ dialect: SQLDialect) -> TableDefinition {
        TableDefinition(
            name: "schema_migrations",
            parts: [
                "version \(dialect.integer) NOT NULL PRIMARY KEY", "name \(dialect.name) NOT NULL",
                "applied_at \(dialect.integer) NOT NULL",
            ])
    }

    /// Applies what is missing; within `SQLDriver.alone`.
    /// - Returns: the names of what was applied.
    static func apply(_ connection: any SQLConnection) throws -> [String] {
        for statement in recordTable(connection.dialect).statements(connection.dialect) {
            try connection.execute(statement, [])
        }
        let version = try recordedVersion(connection)
        try refuseNewer(version)
        var applied: [String] = []
        for migration in all where migration.version > version {
            for statement in migration.statements(connection.dialect) { try connection.execute(statement, []) }
            let isNew = try connection.insert(
                into: "schema_migrations",
                [
                    "version": SQLValue(migration.version), "name": SQLValue(migration.name),
                    "applied_at": SQLValue(try connection.now()),
                ])
            if isNew { applied.append("\(migration.version): \(migration.name)") }
        }
        return applied
    }

    /// The version of a database's schema; 0 where it has none.
    static func recordedVersion(_ connection: any SQLConnection) throws -> Int {
        guard try connection.hasTable("schema_migrations") else { return 0 }
        let row = try connection.query("SELECT MAX(version) AS version FROM schema_migrations", []).first
        return Int(try row?.optionalInteger("version") ?? 0)
    }

    /// Throws where a newer program has changed the schema.
    static func refuseNewer(_ version: Int) throws(ClairoError) {
        guard version > programVersion else { return }
        throw .configuration(
            "The database has schema version \(version), but this program knows only \(programVersion)",
            advice: "Use the newer clairo that migrated it.")
    }

    /// Throws where the schema is not the one that this program knows.
    static func require(_ version: Int) throws(ClairoError) {
        try refuseNewer(version)
        guard version < programVersion else { return }
        throw .configuration(
            version == 0
                ? "The database has no tables of Clairo yet"
                : "The database has schema version \(version), and this program needs \(programVersion)",
            advice: "Run clairo migrate.")
    }
}
