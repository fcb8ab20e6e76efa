internal import ClairoCore

/// The metadata store in SQL, for any engine. Each call passes one body to the driver.
///
/// A body that is retried after its connection broke during the commit must return what the first run would have
/// returned. If the condition of an update fails and `mayHaveCommitted` is true, the first run may be the reason. The
/// body then checks whether the row is in the state that the first run would have left.
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
        // An update without matching rows changes nothing, but fails in a read-only database.
        try await driver.write { connection in
            try Migration.require(try Migration.recordedVersion(connection))
            try connection.execute("UPDATE schema_migrations SET name = name WHERE version < 0", [])
        }
    }

    func close() async { await driver.close() }
}

extension SQLConnection {
    /// Returns the first row, or nil.
    func row(_ sql: String, _ arguments: [SQLValue]) throws -> SQLRow? { try query(sql, arguments).first }
}
