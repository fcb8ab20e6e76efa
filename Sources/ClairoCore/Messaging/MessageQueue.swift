public import struct Foundation.Data

/// Carries messages from the outbox to whoever works on them: Kafka, or a table of the metadata database (`local:`).
///
/// Messages are hints (article Decisions, 4): each is delivered at least once, those of one key in their order.
public protocol MessageQueue: Sendable {
    func producer() async throws(ClairoError) -> any MessageProducer

    /// Joins a group, whose members share the topics' messages.
    /// - Parameter inFlight: messages that may be received and not yet be done at a time.
    func consumer(topics: [String], group: String, inFlight: Int) async throws(ClairoError) -> any MessageConsumer

    /// Makes the topics where they do not exist.
    func prepare(topics: [String]) async throws(ClairoError)

    /// Messages of a topic that a group has yet to be done with.
    func lag(of group: String, topic: String) async throws(ClairoError) -> Int

    /// Makes sure that the queue answers and has the pipeline's topics, and says what is wrong otherwise.
    func check() async throws(ClairoError)
}

public protocol MessageProducer: Sendable {
    /// Sends messages and waits until each is safe, or has failed. The header `message-id` holds a message's id.
    /// - Returns: for each message, in their order, nil or why it was not delivered. One that failed may have arrived
    ///   all the same.
    func send(_ messages: [OutboxMessage]) async -> [ClairoError?]

    /// Ends the connection; what is on its way gets some seconds.
    func close() async
}

public protocol MessageConsumer: Sendable {
    /// The next message, when there is one; nil once the consumer is closed or the calling task is cancelled.
    func next() async throws(ClairoError) -> ReceivedMessage?

    /// The message is dealt with and will not be seen again by this group, but for a rebalance or a crash just now.
    func done(_ message: ReceivedMessage) async throws(ClairoError)

    /// The message was not dealt with: it is delivered again, here or elsewhere.
    func release(_ message: ReceivedMessage) async throws(ClairoError)

    /// Leaves the group; within some seconds in any case.
    func close() async
}

/// A message as it was received: from Clairo, or from anybody else who may write to the topic.
public struct ReceivedMessage: Sendable, Hashable {
    public var topic: String
    public var partition: Int
    public var offset: Int64
    public var key: String?
    public var headers: [String: String]
    /// Empty for a message without a value.
    public var payload: Data
    /// Tells receptions of one message apart, so that a late `done` of an earlier one does nothing.
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

    /// The id that Clairo gave it; nil for messages of others.
    public var id: MessageID? { headers[Header.id].flatMap(MessageID.init) }

    public enum Header {
        public static let id = "message-id"
        public static let trace = "trace-id"
        public static let schema = "schema"
        /// How often a message about uploads was put off.
        public static let intakeAttempt = "intake-attempt"
        /// What begins the names of headers that tell why a message is a dead letter.
        public static let deadLetterPrefix = "dead-letter-"
    }
}
