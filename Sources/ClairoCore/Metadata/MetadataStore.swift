/// The database: the source of truth about every video; messages are hints (article Decisions, 4).
///
/// Each call is one transaction and is repeated after a lost connection or a deadlock before it throws. Every change of
/// state is one conditional update that names the version or the attempt it builds on, and says whether it took hold, so
/// a worker that was thought dead can change nothing. Time is the database's own wherever two machines are compared.
public protocol MetadataStore: VideoRecords, UploadRecords, JobRecords, TaskRecords, OutboxRecords, QueueRecords,
    StatisticsRecords
{
    /// The schema's version in the database, and the one this program knows.
    func schema() async throws(ClairoError) -> SchemaVersions

    /// Brings the schema up to date; several at once do no harm.
    /// - Returns: the names of the migrations that were applied now.
    func migrate() async throws(ClairoError) -> [String]

    /// Makes sure that the database answers, may be written, and has the schema this program knows.
    func check() async throws(ClairoError)

    /// Ends all connections.
    func close() async
}

public struct SchemaVersions: Sendable, Hashable, Codable {
    public var database: Int
    public var program: Int

    public init(database: Int, program: Int) {
        self.database = database
        self.program = program
    }
}

/// Which videos a list shows.
public struct VideoFilter: Sendable, Hashable {
    public var state: Video.State?
    /// Only older ones than this, to go on after a page.
    public var before: VideoID?
    public var limit: Int

    public init(state: Video.State? = nil, before: VideoID? = nil, limit: Int = 50) {
        self.state = state
        self.before = before
        self.limit = limit
    }
}

public protocol VideoRecords: Sendable {
    func video(_ id: VideoID) async throws(ClairoError) -> Video?

    /// Newest first.
    func videos(_ filter: VideoFilter) async throws(ClairoError) -> [Video]

    /// The oldest video with this content that has neither failed nor been cancelled, if any.
    func video(sha256: String) async throws(ClairoError) -> Video?

    /// In one transaction: the video's row, the message about it, and the end of its upload. Doing it twice is doing it
    /// once.
    /// - Returns: false where the video was there already; nothing is written then.
    /// - Throws: `temporary` (75) where `upload` is named and no longer open; nothing is written then.
    func register(_ video: Video, message: OutboxMessage, upload: UploadID?) async throws(ClairoError) -> Bool

    /// Removes a video with its jobs, tasks, renditions and unsent messages; none there is no error.
    /// - Returns: whether there was one.
    func deleteVideo(_ id: VideoID) async throws(ClairoError) -> Bool

    /// Largest first.
    func renditions(of id: VideoID) async throws(ClairoError) -> [Rendition]
}

public protocol UploadRecords: Sendable {
    func createUpload(_ upload: UploadSession) async throws(ClairoError)

    func upload(_ id: UploadID) async throws(ClairoError) -> UploadSession?

    /// The newest upload of that fingerprint, whatever its state.
    func upload(fingerprint: String) async throws(ClairoError) -> UploadSession?

    /// Writes `state`, `size`, `multipart`, `offset`, `title`, `originalName`, `sha256` and `expiresAt` if the row still has
    /// `upload.version`, which goes up by one.
    /// - Returns: the row as it is now, or nil where somebody else was faster or it is gone.
    func updateUpload(_ upload: UploadSession) async throws(ClairoError) -> UploadSession?

    /// Removes an upload; none there is no error.
    func deleteUpload(_ id: UploadID) async throws(ClairoError)

    /// Uploads past their `expiresAt`, oldest first.
    func expiredUploads(limit: Int) async throws(ClairoError) -> [UploadSession]
}

/// Where messages of the outbox go. Each way is served by itself, so that one that is blocked does not hold up the other.
public enum OutboxLane: String, Sendable, CaseIterable {
    /// All topics but `Topic.webhook`.
    case queue
    case webhook
}

public protocol OutboxRecords: Sendable {
    /// Takes messages that are due, oldest first, for `leaseSeconds`; another relay gets others. A message is not given out
    /// while an older one of the same topic and key is held or unsent.
    func claimOutbox(_ lane: OutboxLane, owner: String, limit: Int, leaseSeconds: Double) async throws(ClairoError)
        -> [OutboxMessage]

    /// Notes that messages were delivered.
    func markPublished(_ ids: [MessageID], owner: String) async throws(ClairoError)

    /// Puts a message back to be tried again later.
    func postpone(_ id: MessageID, owner: String, seconds: Double, reason: String) async throws(ClairoError)

    /// Writes messages that follow from no change of a row.
    func post(_ messages: [OutboxMessage], about video: VideoID?) async throws(ClairoError)
}
