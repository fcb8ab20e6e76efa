/// The database with all its roles. Drivers implement it; a use case depends only on the roles that it needs.
///
/// The database is the source of truth; messages only hint that work may be available (article Decisions, 4).
///
/// Each call is one transaction, which is retried after a lost connection or a deadlock before it throws. Each state
/// change is a conditional update on a version or attempt and returns whether it was applied, so a worker that lost its
/// claim changes nothing. Comparisons between machines use the database's clock.
public protocol MetadataStore: VideoRecords, UploadRecords, JobRecords, JobLifecycle, TaskRecords, OutboxRecords,
    QueueRecords, DeadLetterRecords, StatisticsRecords, UpkeepRecords, DeletionRecords, DutyRecords, GarbageRecords,
    SchemaRecords, DatabaseHealth
{
    /// Closes all connections.
    func close() async
}

/// For readiness checks and `doctor`.
public protocol DatabaseHealth: Sendable {
    /// Checks that the database is available and writable and has the expected schema.
    func check() async throws(ClairoError)
}

/// For `migrate`.
public protocol SchemaRecords: Sendable {
    /// The schema version of the database, and the one that this program needs.
    func schema() async throws(ClairoError) -> SchemaVersions

    /// Migrates the schema. Concurrent calls are safe.
    /// - Returns: The names of the migrations that were applied.
    func migrate() async throws(ClairoError) -> [String]
}

/// The schema versions of the database and of this program.
public struct SchemaVersions: Sendable, Hashable, Codable {
    /// The version of the database.
    public var database: Int
    /// The version that this program needs.
    public var program: Int

    public init(database: Int, program: Int) {
        self.database = database
        self.program = program
    }
}

/// The removal of obsolete rows.
public protocol UpkeepRecords: Sendable {
    /// Removes obsolete rows: redriven dead letters, and unleased messages of topics that the pipeline does not
    /// consume, both older than `seconds`; and webhooks that no relay has sent for `webhookSeconds`.
    /// - Parameter limit: The approximate number of rows that one call removes; the caller repeats it until it returns 0.
    /// - Returns: The number of removed rows.
    func purge(olderThanSeconds seconds: Double, webhookSeconds: Double, limit: Int) async throws(ClairoError) -> Int
}
