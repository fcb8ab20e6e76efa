public import struct Foundation.Data

/// A message written in the same transaction as the change it announces, so that it is certain to be sent.
public struct OutboxMessage: Sendable, Codable, Hashable {
    /// Sent as a header, so that a receiver can discard duplicates.
    public var id: MessageID
    /// The topic it goes to.
    public var topic: String
    /// Messages with the same key keep their order. Up to `longestKey` characters.
    public private(set) var key: String
    /// Its headers.
    public var headers: [String: String]
    /// JSON.
    public var payload: Data
    /// When it was written.
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
    /// The topic of these messages.
    public static let topic = Topic.uploads
    /// Version of the document.
    public static let currentSchema = 1

    /// Version of the document.
    public var schema: Int
    /// Id of the video.
    public var videoID: VideoID
    /// Bucket of the source; empty for a directory.
    public var bucket: String
    /// Key of the source.
    public var key: String
    /// URL of the source.
    public var url: String
    /// When the upload was complete.
    public var uploadedAt: Timestamp
    /// Size in bytes.
    public var size: Int64
    /// SHA-256, hexadecimal.
    public var sha256: String
    /// Transcoding profile.
    public var profile: String
    /// Place in the queue.
    public var priority: Priority
    /// Follows the video through logs and messages.
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
