internal import ClairoCore

/// A migration of the schema. A released migration never changes. Each change of the schema needs a new one.
struct Migration: Sendable {
    /// Counted from 1 without gaps.
    var version: Int
    var name: String
    /// Idempotent statements, or those that a database still needs. MySQL commits each DDL statement separately, so a
    /// crash may leave a migration incomplete and unrecorded.
    var statements: @Sendable (any SQLConnection) throws -> [String]

    static let all = [
        Migration(version: 1, name: "videos, uploads, jobs, tasks, renditions, outbox, inbox, queue, dead letters") {
            connection in
            Schema1.tables(connection.dialect).flatMap { $0.statements(connection.dialect) }
        },
        // The table was never read. Conditional updates make duplicate messages harmless.
        Migration(version: 2, name: "drop inbox") { _ in ["DROP TABLE IF EXISTS inbox"] },
        Migration(version: 3, name: "tasks of the kind audio are of the kind track") { _ in
            ["UPDATE tasks SET kind = 'track' WHERE kind = 'audio'"]
        },
        // Neither SQLite nor MySQL knows ADD COLUMN IF NOT EXISTS.
        Migration(version: 4, name: "warnings of jobs") { connection in
            try connection.hasColumn("warnings", of: "jobs")
                ? [] : ["ALTER TABLE jobs ADD COLUMN warnings \(connection.dialect.text)"]
        },
        Migration(version: 5, name: "indexes for large tables") { try Schema5.statements($0) },
        Migration(version: 6, name: "deletions, duties, marks of garbage, sizes of dead letters") { connection in
            try Schema6.statements(connection)
        },
        Migration(version: 7, name: "renditions of all kinds") { try Schema7.statements($0) },
    ]

    /// The version that this program needs.
    static var programVersion: Int { all.map(\.version).max() ?? 0 }

    /// The table of applied migrations.
    static func recordTable(_ dialect: SQLDialect) -> TableDefinition {
        TableDefinition(
            name: "schema_migrations",
            parts: [
                "version \(dialect.integer) NOT NULL PRIMARY KEY", "name \(dialect.name) NOT NULL",
                "applied_at \(dialect.integer) NOT NULL",
            ])
    }

    /// Applies missing migrations. Call within `SQLDriver.alone`.
    /// - Returns: The names of the applied migrations.
    static func apply(_ connection: any SQLConnection) throws -> [String] {
        for statement in recordTable(connection.dialect).statements(connection.dialect) {
            try connection.execute(statement, [])
        }
        let version = try recordedVersion(connection)
        try refuseNewer(version)
        var applied: [String] = []
        for migration in all where migration.version > version {
            for statement in try migration.statements(connection) { try connection.migrate(statement) }
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

    /// The schema version of a database; 0 for an empty one.
    static func recordedVersion(_ connection: any SQLConnection) throws -> Int {
        guard try connection.hasTable("schema_migrations") else { return 0 }
        let row = try connection.query("SELECT MAX(version) AS version FROM schema_migrations", []).first
        return Int(try row?.optionalInteger("version") ?? 0)
    }

    /// Throws if a newer program has migrated the schema.
    static func refuseNewer(_ version: Int) throws(ClairoError) {
        guard version > programVersion else { return }
        throw .refused(
            "The database has schema version \(version), but this program knows only \(programVersion)",
            exitCode: .configuration,
            advice: "Use the newer clairo that migrated it.")
    }

    /// Throws if the schema version differs from the one this program needs.
    static func require(_ version: Int) throws(ClairoError) {
        try refuseNewer(version)
        guard version < programVersion else { return }
        throw .refused(
            version == 0
                ? "The database has no tables of Clairo yet"
                : "The database has schema version \(version), and this program needs \(programVersion)",
            exitCode: .configuration,
            advice: "Run clairo migrate.")
    }
}
