/// A destination of outbox messages. Lanes are independent, so that a blocked one does not delay the other.
public enum OutboxLane: String, Sendable, CaseIterable {
    /// All topics except `Topic.webhook`.
    case queue
    /// The webhook.
    case webhook
}

/// The outbox, for writers and for the relay.
public protocol OutboxRecords: Sendable {
    /// Leases due messages, oldest first. A message is not leased while an older one of the same topic and key is
    /// leased or unsent. The `dueAt` of the result means nothing, and headers that cannot be read are empty and are
    /// reported.
    func claimOutbox(_ lane: OutboxLane, owner: String, limit: Int, leaseSeconds: Double) async throws(ClairoError)
        -> [OutboxMessage]

    /// Marks messages as delivered.
    func markPublished(_ ids: [MessageID], owner: String) async throws(ClairoError)

    /// Returns a message, to be retried later.
    func postpone(_ id: MessageID, owner: String, seconds: Double, reason: String) async throws(ClairoError)

    /// Adds messages that belong to no other change.
    func post(_ messages: [OutboxMessage], about video: VideoID?) async throws(ClairoError)
}
