public import struct Foundation.Data

/// A message written in the same transaction as the change it announces, so that it is certain to be sent.
public struct OutboxMessage: Sendable, Codable, Hashable {
    /// Sent as a header, so that a receiver can discard duplicates.
    public var id: MessageID
    public var topic: String
    /// Messages with the same key keep their order. Up to `longestKey` characters.
    public private(set) var key: String
    public var headers: [String: String]
    /// JSON.
    public var payload: Data
    public var createdAt: Timestamp
    /// Not sent before this time.
    public var dueAt: Timestamp
    /// The number of delivery attempts.
    public var attempts: Int

    /// The maximum length of a key in Unicode scalars.
    public static let longestKey = 500

    /// - Parameter key: Truncated to `longestKey`. The key of a dead letter from Kafka may be longer.
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

/// The payload of `clairo.uploads`: an uploaded video.
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
