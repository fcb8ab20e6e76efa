internal import ClairoCore
internal import Synchronization

/// The metadata store in SQL, for any engine. Each call passes one body to the driver.
///
/// A body that is retried after its connection broke during the commit must return what the first run would have
/// returned. If the condition of an update fails and `mayHaveCommitted` is true, the first run may be the reason. The
/// body then checks whether the row is in the state that the first run would have left.
///
/// Daemons look for work all the time, in tables with millions of rows. So a call that looks for rows and then changes
/// them first looks without locks, along an index, for a bounded number of rows. Then it changes these by their primary
/// keys, each only if it is still as it was found. So nobody waits for a search, and nothing is locked that is not
/// changed.
struct SQLMetadataStore: MetadataStore {
    let driver: any SQLDriver
    let counts = RowCounts()
    /// Called for documents in rows that cannot be read and that a list leaves out.
    let report: @Sendable (ClairoError) -> Void

    init(driver: any SQLDriver, report: @escaping @Sendable (ClairoError) -> Void) {
        self.driver = driver
        let reported = FirstTimes()
        self.report = { error in if reported.isFirst(error.message) { report(error) } }
    }

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

    func transport() async throws(ClairoError) -> DatabaseTransport { try await driver.readAnySchema { $0.transport } }

    func close() async { await driver.close() }
}

/// Remembers which texts have occurred, up to a number of them.
private final class FirstTimes: Sendable {
    private let known = Mutex<Set<String>>([])
    private static let most = 1000

    func isFirst(_ text: String) -> Bool {
        known.withLock { $0.count < Self.most && $0.insert(text).inserted }
    }
}

extension SQLConnection {
    /// Returns the first row, or nil.
    func row(_ sql: String, _ arguments: [SQLValue]) throws -> SQLRow? { try query(sql, arguments).first }
}
