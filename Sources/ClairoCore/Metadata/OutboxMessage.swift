public import struct Foundation.Data

/// A message that is certain to be sent because it was written in the transaction of the change it tells about.
public struct OutboxMessage: Sendable, Codable, Hashable {
    /// Travels in a header, so that a receiver can drop the second of two.
    public var id: MessageID
    public var topic: String
    /// Messages of one key keep their order. At most `longestKey` characters.
    public private(set) var key: String
    public var headers: [String: String]
    /// JSON.
    public var payload: Data
    public var createdAt: Timestamp
    /// Not to be sent before this moment.
    public var dueAt: Timestamp
    /// How often sending has been tried.
    public var attempts: Int

    /// Unicode scalars of a key.
    public static let longestKey = 500

    /// - Parameter key: what is longer than `longestKey` is cut; Kafka's own keys, which a dead letter has, may be.
    public init(
        id: MessageID, topic: String, key: String, headers: [String: String] = [:], payload: Data, createdAt: Timestamp,
        dueAt: Timestamp? = nil, attempts: Int = 0
    ) {
        self.id = id
        self.topic = topic
        self.key = String(String.UnicodeScalarView(key.unicodeScalars.prefix(Self.longestKey)))
        self.headers = headers
        self.payload = payload
        self.createdAt = createdAt
        self.dueAt = dueAt ?? createdAt
        self.attempts = attempts
    }
}

/// What `clairo.uploads` carries: a video whose bytes are safe.
public struct UploadMessage: Sendable, Codable, Hashable {
    public static let topic = Topic.uploads
    public static let currentSchema = 1

    public var schema: Int
    public var videoID: VideoID
    public var bucket: String
    public var key: String
    public var url: String
    public var uploadedAt: Timestamp
    public var size: Int64
    public var sha256: String
    public var profile: String
    public var priority: Priority
    public var traceID: String

    public init(_ video: Video) {
        schema = Self.currentSchema
        videoID = video.id
        bucket = video.source.bucket
        key = video.source.key
        url = video.source.url
        uploadedAt = video.uploadedAt
        size = video.size
        sha256 = video.sha256
        profile = video.profile
        priority = video.priority
        traceID = video.traceID
    }
}
