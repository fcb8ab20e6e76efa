/// Messages and tasks that were given up, until an operator has them tried again.
public protocol DeadLetterRecords: Sendable {
    /// Keeps a dead letter and posts `messages`; one whose id is there already is left out.
    func addDeadLetter(_ letter: DeadLetter, messages: [OutboxMessage]) async throws(ClairoError)

    /// Newest first; those that were not redriven, unless `all`.
    func deadLetters(topic: String?, all: Bool, limit: Int) async throws(ClairoError) -> [DeadLetter]

    /// A dead letter; nil if there is none with this id.
    func deadLetter(_ id: MessageID) async throws(ClairoError) -> DeadLetter?

    /// Notes that a dead letter is tried again, and posts `messages`.
    /// - Returns: false where it was redriven before, or is unknown; nothing is written then.
    func redriveDeadLetter(_ id: MessageID, messages: [OutboxMessage]) async throws(ClairoError) -> Bool
}
