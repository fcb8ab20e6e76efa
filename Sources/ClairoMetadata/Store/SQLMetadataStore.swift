internal import ClairoCore

/// The metadata store in SQL, whatever the engine: each call is one body for the driver.
///
/// A body that is repeated after a connection broke during its commit must say what the first run would have said. Where the
/// condition of an update cannot tell (it fails because the first run took hold), the body looks, under
/// `mayHaveCommitted` only, whether the row is as it would have left it.
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
        // An update of no rows is refused all the same where the database may not be written.
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
