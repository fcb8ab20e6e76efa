/// The deletion of a video, from the request until long after the video is gone.
///
/// While its bytes are removed, the video is in the state `deleting`. Then its rows are deleted, and this record remains
/// as a tombstone, so that a late message or storage event about the video does not register it again.
public struct Deletion: Sendable, Hashable {
    /// The video.
    public var videoID: VideoID
    /// When the deletion was requested.
    public var requestedAt: Timestamp
    /// From this time on, no worker writes for the video any more: the leases that were valid at the request have ended
    /// at least `quietSeconds` ago.
    public var quietAt: Timestamp
    /// Whether that time has passed, by the database's clock when the record was read.
    public var isQuiet: Bool
    /// When the video's bytes and rows were gone. From then on, the record is a tombstone.
    public var finishedAt: Timestamp?

    public init(
        videoID: VideoID, requestedAt: Timestamp, quietAt: Timestamp, isQuiet: Bool, finishedAt: Timestamp? = nil
    ) {
        self.videoID = videoID
        self.requestedAt = requestedAt
        self.quietAt = quietAt
        self.isQuiet = isQuiet
        self.finishedAt = finishedAt
    }

    /// Seconds after the end of a lease in which writes of its owner may still arrive: an ECS task ends within 60 s of
    /// its worker, and a request fails when nothing moves for 60 s.
    public static let quietSeconds = 120.0
    /// Seconds after which the folders of a deleted video are looked at once more, for writes by a process that was
    /// suspended in the middle of a request.
    public static let lastLookSeconds = 86_400.0
    /// Seconds that a tombstone is kept: longer than brokers keep messages by default (7 days), and storage events are
    /// delivered again.
    public static let tombstoneSeconds = 30 * 86_400.0

    /// When upkeep works on a deletion next.
    public enum Next: Sendable, Hashable {
        /// At `quietAt`.
        case whenQuiet
        /// After this number of seconds.
        case after(seconds: Double)
        /// Never again.
        case never
    }
}

/// Deletions of videos.
public protocol DeletionRecords: Sendable {
    /// Makes a video `deleting`, whatever its state, in one transaction: its unfinished jobs are cancelled, claims become
    /// void, and the deletion is due at once. Idempotent.
    /// - Parameter messages: Returns the messages about a cancelled job.
    /// - Returns: The updated video; nil if it does not exist.
    func beginDeletion(of id: VideoID, messages: @Sendable @escaping (Job) -> [OutboxMessage]) async throws(ClairoError)
        -> Video?

    /// The deletion of a video; nil if none was requested or its tombstone has expired.
    func deletion(of id: VideoID) async throws(ClairoError) -> Deletion?

    /// Deletions that are due, longest due first.
    func dueDeletions(limit: Int) async throws(ClairoError) -> [Deletion]

    /// Sets when a deletion is due next.
    /// - Parameter failure: Why bytes could not be removed; shown as the error of the video.
    func scheduleDeletion(of id: VideoID, _ next: Deletion.Next, failure: Failure?) async throws(ClairoError)

    /// Removes tombstones of videos that were gone `seconds` ago or earlier.
    /// - Returns: The number of removed tombstones.
    func removeTombstones(olderThanSeconds seconds: Double, limit: Int) async throws(ClairoError) -> Int
}
