/// An upload in progress, with everything needed to resume it.
public struct UploadSession: Sendable, Codable, Hashable {
    /// The state of an upload.
    public enum State: String, Sendable, Codable, CaseIterable {
        /// More bytes may arrive.
        case open
        /// The video is registered. Kept until the uploader knows the video's id.
        case complete
        /// Being deleted. It accepts no bytes and cannot be registered.
        case discarded
    }

    /// Id of the upload.
    public var id: UploadID
    /// The id of the future video. Its source is stored at `Video.sourceKey(videoID)`.
    public var videoID: VideoID
    /// The state of the upload.
    public var state: State
    /// Identifies who may resume the upload. For `clairo upload`, a digest of host, path, size and modification time;
    /// for the API, a salted digest of the token.
    public var fingerprint: String
    /// Title of the video, for people.
    public var title: String?
    /// File name; shown, never used as a path.
    public var originalName: String
    /// Transcoding profile of the video.
    public var profile: String
    /// The priority of the video in the queue.
    public var priority: Priority
    /// Tenant of the video, for fair scheduling.
    public var tenant: String
    /// The total size in bytes, or nil if unknown.
    public var size: Int64?
    /// The SHA-256 declared by the sender, in hexadecimal.
    public var sha256: String?
    /// The store's multipart upload, or nil before it was started.
    public var multipart: MultipartUpload?
    /// Committed bytes (tus `Upload-Offset`): whole parts in the store, plus the tail.
    public var offset: Int64
    /// Incremented by each update. An update with an older version is rejected.
    public var version: Int
    /// When it began.
    public var createdAt: Timestamp
    /// When it last changed.
    public var updatedAt: Timestamp
    /// When the sweep may remove it.
    public var expiresAt: Timestamp

    public init(
        id: UploadID, videoID: VideoID, state: State = .open, fingerprint: String, title: String? = nil,
        originalName: String, profile: String = "default", priority: Priority = .normal,
        tenant: String = Video.defaultTenant, size: Int64?, sha256: String? = nil, multipart: MultipartUpload? = nil,
        offset: Int64 = 0, version: Int = 0,
        createdAt: Timestamp, updatedAt: Timestamp? = nil, expiresAt: Timestamp
    ) {
        self.id = id
        self.videoID = videoID
        self.state = state
        self.fingerprint = fingerprint
        self.title = title
        self.originalName = originalName
        self.profile = profile
        self.priority = priority
        self.tenant = tenant
        self.size = size
        self.sha256 = sha256
        self.multipart = multipart
        self.offset = offset
        self.version = version
        self.createdAt = createdAt
        self.updatedAt = updatedAt ?? createdAt
        self.expiresAt = expiresAt
    }
}
