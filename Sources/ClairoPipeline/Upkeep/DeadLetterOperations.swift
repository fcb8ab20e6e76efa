public import ClairoCore

/// Shows what could not be dealt with, and tries it again.
public struct DeadLetterOperations: Sendable {
    private let metadata: any MetadataStore
    private let jobs: JobOperations

    public enum Outcome: Sendable {
        case redriven
        case wasRedriven
        /// Of a task whose video was deleted: the letter counts as redriven.
        case videoIsGone
    }

    public init(metadata: any MetadataStore, jobs: JobOperations) {
        self.metadata = metadata
        self.jobs = jobs
    }

    /// Newest first.
    public func list(topic: String?, all: Bool, limit: Int) async throws(ClairoError) -> [DeadLetter] {
        try await metadata.deadLetters(topic: topic, all: all, limit: limit)
    }

    public func letter(_ id: MessageID) async throws(ClairoError) -> DeadLetter {
        guard let letter = try await metadata.deadLetter(id) else {
            throw .noInput("There is no dead letter \(id)", advice: "clairo dlq list shows those there are.")
        }
        return letter
    }

    /// Tries a dead letter again: a task by taking up its video's job where it failed, a message by sending it once more.
    /// - Throws: `badInput` where the payload is not text, which is all that the outbox holds.
    public func redrive(_ letter: DeadLetter) async throws(ClairoError) -> Outcome {
        if letter.redrivenAt != nil { return .wasRedriven }
        if letter.topic == Topic.tasks, let id = letter.videoID {
            let isThere = try await metadata.video(id) != nil
            // Somebody may have retried the video meanwhile; then there is nothing left to do.
            if isThere { _ = try await jobs.retry(id) }
            guard try await metadata.redriveDeadLetter(letter.id, messages: []) else { return .wasRedriven }
            return isThere ? .redriven : .videoIsGone
        }
        guard String(validating: letter.payload, as: UTF8.self) != nil else {
            throw .badMedia(
                "The dead letter \(letter.id) is not text in UTF-8, and cannot be sent by the outbox",
                advice:
                    "Send it by hand: clairo dlq show \(letter.id) --payload > letter, kcat -P -b BROKER -t \(letter.topic) letter."
            )
        }
        let now = Timestamp.now
        let message = OutboxMessage(
            id: .make(at: now), topic: letter.topic, key: letter.key ?? letter.id.rawValue,
            headers: Self.headers(of: letter), payload: letter.payload, createdAt: now)
        return try await metadata.redriveDeadLetter(letter.id, messages: [message]) ? .redriven : .wasRedriven
    }

    /// As the message had them when it first came: it starts over.
    private static func headers(of letter: DeadLetter) -> [String: String] {
        typealias Header = ReceivedMessage.Header
        return letter.headers.filter { name, _ in
            name != Header.id && name != Header.intakeAttempt && !name.hasPrefix(Header.deadLetterPrefix)
        }
    }
}
