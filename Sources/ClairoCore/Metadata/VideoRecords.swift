/// A filter for lists of videos.
public struct VideoFilter: Sendable, Hashable {
    /// Only videos in this state; nil for all.
    public var state: Video.State?
    /// Only videos older than this one, for paging.
    public var before: VideoID?
    /// The maximum number of videos.
    public var limit: Int

    public init(state: Video.State? = nil, before: VideoID? = nil, limit: Int = 50) {
        self.state = state
        self.before = before
        self.limit = limit
    }
}

/// Videos and their renditions.
public protocol VideoRecords: Sendable {
    /// A video; nil if there is none with this id.
    func video(_ id: VideoID) async throws(ClairoError) -> Video?

    /// Videos, newest first. A document in a row that cannot be read, such as `media`, is nil in the list and is
    /// reported.
    func videos(_ filter: VideoFilter) async throws(ClairoError) -> [Video]

    /// The oldest video with this content that has neither failed nor been cancelled or deleted.
    func video(sha256: String) async throws(ClairoError) -> Video?

    /// Inserts the video and its message and completes its upload, in one transaction. Idempotent.
    /// - Returns: False, and writes nothing, if the video exists or was deleted.
    /// - Throws: `temporary` (75), and writes nothing, if `upload` is given and no longer open.
    func register(_ video: Video, message: OutboxMessage, upload: UploadID?) async throws(ClairoError) -> Bool

    /// The last step of a deletion, after the bytes are gone: deletes a video with its jobs, tasks, renditions and unsent
    /// messages. Succeeds if there is none.
    /// - Returns: Whether the video existed.
    func deleteVideo(_ id: VideoID) async throws(ClairoError) -> Bool

    /// The renditions of the video's output, in the order of `RenditionRecord.isBefore`.
    func renditions(of id: VideoID) async throws(ClairoError) -> [Rendition]
}
