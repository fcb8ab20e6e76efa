/// The database: all roles of the records in one. Drivers implement it; a use case takes only the roles that it needs.
///
/// The database is the source of truth; messages only hint that work may be available (article Decisions, 4).
///
/// Each call is one transaction and is repeated after a lost connection or a deadlock before it throws. Every change of
/// state is one conditional update that names the version or the attempt it builds on, and says whether it took hold, so
/// a worker that was thought dead can change nothing. Time is the database's own wherever two machines are compared.
public protocol MetadataStore: VideoRecords, UploadRecords, JobRecords, JobLifecycle, TaskRecords, OutboxRecords,
    QueueRecords, DeadLetterRecords, StatisticsRecords, UpkeepRecords, SchemaRecords, DatabaseHealth
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

/// Versions of the schema: that of the database, and the one that this program knows.
public struct SchemaVersions: Sendable, Hashable, Codable {
    /// Version that the database has.
    public var database: Int
    /// Version that this program needs.
    public var program: Int

    public init(database: Int, program: Int) {
        self.database = database
        self.program = program
    }
}

/// For the garbage collection.
public protocol UpkeepRecords: Sendable {
    /// Removes rows that are not needed any more: redriven dead letters, and queued messages that nobody holds of topics that
    /// the pipeline does not consume itself, all older than `seconds`; and webhooks that no relay has sent for
    /// `webhookSeconds`.
    /// - Returns: how many rows went.
    func purge(olderThanSeconds seconds: Double, webhookSeconds: Double) async throws(ClairoError) -> Int
}
