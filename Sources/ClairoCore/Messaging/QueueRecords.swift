/// The table behind the `local:` queue.
public protocol QueueRecords: Sendable {
    /// Adds messages to their topics; one whose id is there already is left out.
    func enqueue(_ messages: [OutboxMessage]) async throws(ClairoError)

    /// Takes messages of these topics, oldest first, for `leaseSeconds`. A message is not given out while an older one of the
    /// same topic and key is there.
    func claimQueued(topics: [String], owner: String, limit: Int, leaseSeconds: Double) async throws(ClairoError)
        -> [QueuedMessage]

    /// Prolongs the hold on messages.
    /// - Returns: those still held by `owner`.
    func renewQueued(_ ids: [MessageID], owner: String, leaseSeconds: Double) async throws(ClairoError) -> [MessageID]

    /// Removes messages that are dealt with.
    /// - Returns: whether `owner` still held it.
    func removeQueued(_ id: MessageID, owner: String) async throws(ClairoError) -> Bool

    /// Puts a message back, to be given out again at once.
    func releaseQueued(_ id: MessageID, owner: String) async throws(ClairoError)

    /// Messages that wait or are held, by topic.
    func queuedCounts() async throws(ClairoError) -> [String: Int]
}

/// A message of the `local:` queue in somebody's hands.
public struct QueuedMessage: Sendable, Hashable {
    /// The message.
    public var message: OutboxMessage
    /// Its number in the topic, growing.
    public var sequence: Int64
    /// How often it has been given out, this time included.
    public var deliveries: Int

    public init(message: OutboxMessage, sequence: Int64, deliveries: Int) {
        self.message = message
        self.sequence = sequence
        self.deliveries = deliveries
    }
}
