public import struct Foundation.Data

/// A message, or a task, that could not be dealt with, kept with what is needed to understand it and to try again.
public struct DeadLetter: Sendable, Codable, Hashable {
    public var id: MessageID
    /// Where the message came from; `clairo.tasks` for a task.
    public var topic: String
    public var partition: Int?
    public var offset: Int64?
    public var key: String?
    public var headers: [String: String]
    /// As it came, up to a mebibyte of it. For a task, its `TaskSpec`.
    public var payload: Data
    public var failure: Failure
    public var attempts: Int
    /// Where it is about a video: what redriving it processes again.
    public var videoID: VideoID?
    public var createdAt: Timestamp
    public var redrivenAt: Timestamp?

    public init(
        id: MessageID, topic: String, partition: Int? = nil, offset: Int64? = nil, key: String? = nil,
        headers: [String: String] = [:], payload: Data, failure: Failure, attempts: Int = 1, videoID: VideoID? = nil,
        createdAt: Timestamp = .now, redrivenAt: Timestamp? = nil
    ) {
        self.id = id
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.key = key
        self.headers = headers
        self.payload = payload
        self.failure = failure
        self.attempts = attempts
        self.videoID = videoID
        self.createdAt = createdAt
        self.redrivenAt = redrivenAt
    }
}
