/// An upload that is under way: what has to be known to go on after any interruption.
public struct UploadSession: Sendable, Codable, Hashable {
    public enum State: String, Sendable, Codable, CaseIterable {
        /// Bytes may still come.
        case open
        /// The video is registered; kept until the uploader knows of it.
        case complete
        /// It is being removed: nobody adds to it or registers it any more.
        case discarded
    }

    public var id: UploadID
    /// The id the video will have; its source goes to `Video.sourceKey(videoID)`.
    public var videoID: VideoID
    public var state: State
    /// Who may go on with it: for `clairo upload` a digest of host, path, size and time of change; for the API the token's
    /// digest with a random part.
    public var fingerprint: String
    public var title: String?
    public var originalName: String
    public var profile: String
    public var priority: Priority
    public var tenant: String
    /// Bytes in all; nil where the sender does not know yet.
    public var size: Int64?
    /// SHA-256 that the sender promises, hexadecimal.
    public var sha256: String?
    /// The store's upload; nil before it was begun.
    public var multipart: MultipartUpload?
    /// Bytes that are safe (tus `Upload-Offset`): whole parts in the store, and the tail.
    public var offset: Int64
    /// Incremented by each change; a change that names an old one is refused.
    public var version: Int
    public var createdAt: Timestamp
    public var updatedAt: Timestamp
    /// After this it may be swept away.
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
