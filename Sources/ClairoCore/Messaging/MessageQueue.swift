public import struct Foundation.Data

/// Delivers messages from the outbox to consumers: Kafka, or a table of the metadata database (`local:`).
///
/// Messages are hints (article Decisions, 4). Each is delivered at least once, and messages with the same key in order.
public protocol MessageQueue: Sendable {
    /// Opens a connection to send messages.
    func producer() async throws(ClairoError) -> any MessageProducer

    /// Joins a consumer group. Its members share the messages of the topics.
    /// - Parameter inFlight: The maximum number of unfinished messages.
    func consumer(topics: [String], group: String, inFlight: Int) async throws(ClairoError) -> any MessageConsumer

    /// Creates missing topics.
    /// - Throws: `refused` if a topic is missing and this user may not create it.
    func prepare(topics: [String]) async throws(ClairoError)

    /// The number of messages of a topic that a group has not finished.
    func lag(of group: String, topic: String) async throws(ClairoError) -> Int

    /// Checks that the queue is available. Topics need not exist yet.
    func check() async throws(ClairoError)
}

/// Sends messages to a queue.
public protocol MessageProducer: Sendable {
    /// Sends messages and waits until each is stored or has failed. The header `message-id` contains the message's id.
    /// - Returns: For each message, in order, nil or the delivery error. A failed message may have arrived anyway.
    func send(_ messages: [OutboxMessage]) async -> [ClairoError?]

    /// Closes the connection. Pending messages get a few seconds.
    func close() async
}

/// Receives messages as a member of a group.
public protocol MessageConsumer: Sendable {
    /// Waits for the next message. Returns nil once the consumer is closed or the task is cancelled.
    func next() async throws(ClairoError) -> ReceivedMessage?

    /// Marks the message as processed. The group will not see it again, except after a concurrent rebalance or crash.
    func done(_ message: ReceivedMessage) async throws(ClairoError)

    /// Returns the message unprocessed, to be delivered again, here or elsewhere.
    func release(_ message: ReceivedMessage) async throws(ClairoError)

    /// Leaves the group, within a few seconds.
    func close() async
}

/// A received message. It may come from anyone who can write to the topic.
public struct ReceivedMessage: Sendable, Hashable {
    /// The topic.
    public var topic: String
    /// The partition.
    public var partition: Int
    /// Its offset there.
    public var offset: Int64
    /// Its key.
    public var key: String?
    /// Its headers.
    public var headers: [String: String]
    /// Empty for a message without a value.
    public var payload: Data
    /// Identifies this delivery, so that a late `done` for an earlier delivery has no effect.
    public var receipt: String

    public init(
        topic: String, partition: Int, offset: Int64, key: String?, headers: [String: String], payload: Data,
        receipt: String = ""
    ) {
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.key = key
        self.headers = headers
        self.payload = payload
        self.receipt = receipt
    }

    /// The id assigned by Clairo, or nil for other senders.
    public var id: MessageID? { headers[Header.id].flatMap(MessageID.init) }

    /// Names of headers.
    public enum Header {
        /// Id of the message, the same when it is delivered twice.
        public static let id = "message-id"
        /// Trace id of the video.
        public static let trace = "trace-id"
        /// Version of the document.
        public static let schema = "schema"
        /// How often an upload message was postponed.
        public static let intakeAttempt = "intake-attempt"
        /// The prefix of the headers that explain a dead letter.
        public static let deadLetterPrefix = "dead-letter-"
    }
}
