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

    /// How this process is connected to the database.
    func transport() async throws(ClairoError) -> DatabaseTransport
}

/// How a process is connected to its database.
public enum DatabaseTransport: Sendable, Hashable {
    /// The database is a file, or is in memory.
    case local
    /// A Unix socket.
    case socket
    /// The network, without encryption.
    case plain
    /// The network, with TLS of a version such as `TLSv1.3`.
    case encrypted(version: String, verifiesCertificate: Bool)
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
    /// - Parameter limit: The maximum number of rows of each of the three, so that others can write in between.
    /// - Returns: The number of removed rows. Zero if none is left.
    func purge(olderThanSeconds seconds: Double, webhookSeconds: Double, limit: Int) async throws(ClairoError) -> Int
}
