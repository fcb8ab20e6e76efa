/// Dead letters, which are kept until an operator redrives them.
public protocol DeadLetterRecords: Sendable {
    /// Stores a dead letter and posts `messages`. Does nothing if its id exists.
    func addDeadLetter(_ letter: DeadLetter, messages: [OutboxMessage]) async throws(ClairoError)

    /// Dead letters, newest first. Without `all`, only those that were not redriven. Headers or a failure that cannot
    /// be read are replaced in the list and reported.
    func deadLetters(topic: String?, all: Bool, limit: Int) async throws(ClairoError) -> [DeadLetter]

    /// A dead letter; nil if there is none with this id.
    func deadLetter(_ id: MessageID) async throws(ClairoError) -> DeadLetter?

    /// Marks a dead letter as redriven and posts `messages`.
    /// - Returns: False, and writes nothing, if it was redriven before or is unknown.
    func redriveDeadLetter(_ id: MessageID, messages: [OutboxMessage]) async throws(ClairoError) -> Bool
}
