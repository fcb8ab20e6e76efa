/// Notifies an external receiver about jobs.
public protocol WebhookSender: Sendable {
    /// Sends one message of the topic `Topic.webhook`, without retries. The receiver may get it twice and can recognise
    /// it by the message's id.
    /// - Throws: `transient` if a retry may succeed; `badInput` if the receiver rejects it permanently.
    func send(_ message: OutboxMessage) async throws(ClairoError)
}
