public import ClairoCore

/// Lists and redrives dead letters.
public struct DeadLetterOperations: Sendable {
    private let metadata: any VideoRecords & DeadLetterRecords
    private let jobs: JobOperations

    /// The outcome of a redrive.
    public enum Outcome: Sendable {
        /// The task or message will be tried again.
        case redriven
        /// An earlier call redrove it.
        case wasRedriven
        /// The video of the task was deleted. The dead letter counts as redriven.
        case videoIsGone
    }

    public init(metadata: any VideoRecords & DeadLetterRecords, jobs: JobOperations) {
        self.metadata = metadata
        self.jobs = jobs
    }

    /// Dead letters, newest first.
    public func list(topic: String?, all: Bool, limit: Int) async throws(ClairoError) -> [DeadLetter] {
        try await metadata.deadLetters(topic: topic, all: all, limit: limit)
    }

    /// A dead letter.
    /// - Throws: `noInput` (66) if there is none with this id.
    public func letter(_ id: MessageID) async throws(ClairoError) -> DeadLetter {
        guard let letter = try await metadata.deadLetter(id) else {
            throw .noInput("Dead letter \(id) does not exist", advice: "clairo dlq list shows all dead letters.")
        }
        return letter
    }

    /// Retries a dead letter: a task by resuming its video's job, a message by sending it again.
    /// - Throws: `badInput` if the payload is not text, because the outbox only holds text.
    public func redrive(_ letter: DeadLetter) async throws(ClairoError) -> Outcome {
        if letter.redrivenAt != nil { return .wasRedriven }
        if letter.topic == Topic.tasks, let id = letter.videoID {
            let isThere = try await metadata.video(id).map { $0.state != .deleting } ?? false
            // Does nothing if the job was resumed meanwhile.
            if isThere { _ = try await jobs.retry(id) }
            guard try await metadata.redriveDeadLetter(letter.id, messages: []) else { return .wasRedriven }
            return isThere ? .redriven : .videoIsGone
        }
        guard String(validating: letter.payload, as: UTF8.self) != nil else {
            throw .badMedia(
                "The dead letter \(letter.id) is not UTF-8 text and cannot be sent through the outbox",
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

    /// The headers of the original message, so that its attempts start over.
    private static func headers(of letter: DeadLetter) -> [String: String] {
        typealias Header = ReceivedMessage.Header
        return letter.headers.filter { name, _ in
            name != Header.id && name != Header.intakeAttempt && !name.hasPrefix(Header.deadLetterPrefix)
        }
    }
}
