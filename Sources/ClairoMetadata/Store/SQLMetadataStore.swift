internal import ClairoCore

/// The metadata store in SQL, for any engine. Each call is one body for the driver.
///
/// A body that is retried after its connection broke during the commit must return what the first run would have
/// returned. If the condition of an update cannot tell (it fails because the first run was committed), the body checks,
/// only when `mayHaveCommitted`, whether the row is in the state it would have left.
struct SQLMetadataStore: MetadataStore {
    let driver: any SQLDriver

    func schema() async throws(ClairoError) -> SchemaVersions {
        try await driver.readAnySchema { connection in
            SchemaVersions(
                database: try Migration.recordedVersion(connection), program: Migration.programVersion)
        }
    }

    func migrate() async throws(ClairoError) -> [String] {
        try await driver.alone { try Migration.apply($0) }
    }

    func check() async throws(ClairoError) {
        // An update that matches no rows also fails in a read-only database.
        try await driver.write { connection in
            try Migration.require(try Migration.recordedVersion(connection))
            try connection.execute("UPDATE schema_migrations SET name = name WHERE version < 0", [])
        }
    }

    func close() async { await driver.close() }
}

extension SQLConnection {
    /// The only row, or nil.
    func row(_ sql: String, _ arguments: [SQLValue]) throws -> SQLRow? { try query(sql, arguments).first }
}
