public import struct Foundation.Data

/// A message or task that could not be processed, with everything needed to diagnose and retry it.
public struct DeadLetter: Sendable, Codable, Hashable {
    /// Id of the dead letter.
    public var id: MessageID
    /// The message's topic; `clairo.tasks` for a task.
    public var topic: String
    /// Kafka partition.
    public var partition: Int?
    /// Kafka offset.
    public var offset: Int64?
    /// Message key.
    public var key: String?
    /// Message headers.
    public var headers: [String: String]
    /// The original payload, up to 1 MiB. For a task, its `TaskSpec`.
    public var payload: Data
    /// The error of the last attempt.
    public var failure: Failure
    /// The number of attempts.
    public var attempts: Int
    /// The video to process again on a redrive, if any.
    public var videoID: VideoID?
    /// When it was dead-lettered.
    public var createdAt: Timestamp
    /// When it was last redriven.
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
