/// Which videos a list shows.
public struct VideoFilter: Sendable, Hashable {
    /// Only videos in this state; nil for all.
    public var state: Video.State?
    /// Only older ones than this, to go on after a page.
    public var before: VideoID?
    /// Videos at most.
    public var limit: Int

    public init(state: Video.State? = nil, before: VideoID? = nil, limit: Int = 50) {
        self.state = state
        self.before = before
        self.limit = limit
    }
}

/// Videos, and the renditions that were made of them.
public protocol VideoRecords: Sendable {
    /// A video; nil if there is none with this id.
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
