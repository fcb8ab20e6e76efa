/// The table of the `local:` queue.
public protocol QueueRecords: Sendable {
    /// Adds messages to their topics. Messages with an existing id are skipped.
    func enqueue(_ messages: [OutboxMessage]) async throws(ClairoError)

    /// Leases messages of these topics, oldest first. A message is not leased while an older one of the same topic and
    /// key exists.
    func claimQueued(topics: [String], owner: String, limit: Int, leaseSeconds: Double) async throws(ClairoError)
        -> [QueuedMessage]

    /// Renews leases.
    /// - Returns: The messages still held by `owner`.
    func renewQueued(_ ids: [MessageID], owner: String, leaseSeconds: Double) async throws(ClairoError) -> [MessageID]

    /// Removes a processed message.
    /// - Returns: Whether `owner` still held it.
    func removeQueued(_ id: MessageID, owner: String) async throws(ClairoError) -> Bool

    /// Returns a message, to be leased again at once.
    func releaseQueued(_ id: MessageID, owner: String) async throws(ClairoError)

    /// The number of waiting and leased messages, by topic.
    func queuedCounts() async throws(ClairoError) -> [String: Int]
}

/// A leased message of the `local:` queue.
public struct QueuedMessage: Sendable, Hashable {
    /// The message.
    public var message: OutboxMessage
    /// Its ascending sequence number in the topic.
    public var sequence: Int64
    /// The number of deliveries, including this one.
    public var deliveries: Int

    public init(message: OutboxMessage, sequence: Int64, deliveries: Int) {
        self.message = message
        self.sequence = sequence
        self.deliveries = deliveries
    }
}
