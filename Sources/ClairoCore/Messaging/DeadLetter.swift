public import struct Foundation.Data

/// A message or task that could not be processed, with everything needed to diagnose and retry it.
public struct DeadLetter: Sendable, Codable, Hashable {
    public var id: MessageID
    /// The message's topic; `clairo.tasks` for a task.
    public var topic: String
    public var partition: Int?
    public var offset: Int64?
    public var key: String?
    public var headers: [String: String]
    /// The original payload, up to 1 MiB. For a task, its `TaskSpec`.
    public var payload: Data
    public var failure: Failure
    public var attempts: Int
    /// The video to process again on a redrive, if any.
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
