/// Tells somebody outside what has become of a job.
public protocol WebhookSender: Sendable {
    /// Sends one message of the topic `Topic.webhook`, once; whoever calls repeats it. The receiver may get it twice and
    /// knows it by the message's id.
    /// - Throws: `transient` where the same message may go well later; `badInput` where the receiver refuses it for good.
    func send(_ message: OutboxMessage) async throws(ClairoError)
}
