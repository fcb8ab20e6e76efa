/// Where messages of the outbox go. Each way is served by itself, so that one that is blocked does not hold up the other.
public enum OutboxLane: String, Sendable, CaseIterable {
    /// All topics but `Topic.webhook`.
    case queue
    /// To the webhook.
    case webhook
}

/// The outbox, as those have it who write into it and the relay that empties it.
public protocol OutboxRecords: Sendable {
    /// Takes messages that are due, oldest first, for `leaseSeconds`; another relay gets others. A message is not given out
    /// while an older one of the same topic and key is held or unsent.
    func claimOutbox(_ lane: OutboxLane, owner: String, limit: Int, leaseSeconds: Double) async throws(ClairoError)
        -> [OutboxMessage]

    /// Notes that messages were delivered.
    func markPublished(_ ids: [MessageID], owner: String) async throws(ClairoError)

    /// Puts a message back to be tried again later.
    func postpone(_ id: MessageID, owner: String, seconds: Double, reason: String) async throws(ClairoError)

    /// Writes messages that follow from no change of a row.
    func post(_ messages: [OutboxMessage], about video: VideoID?) async throws(ClairoError)
}
