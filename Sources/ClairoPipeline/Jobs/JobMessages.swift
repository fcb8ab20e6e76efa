internal import ClairoCore
internal import Foundation

/// Creates the messages about changes of jobs and tasks.
public struct JobMessages: Sendable {
    /// Whether events also go to a webhook.
    private let hasWebhook: Bool

    public init(hasWebhook: Bool = false) { self.hasWebhook = hasWebhook }

    /// A hint that a task can be claimed.
    func task(_ task: WorkTask, traceID: String, dueAt: Timestamp? = nil) -> OutboxMessage {
        message(TaskMessage(task), topic: Topic.tasks, key: task.id.rawValue, traceID: traceID, dueAt: dueAt)
    }

    /// An event about a job's change of state, once for each topic that receives it.
    func event(
        _ kind: JobEvent.Kind, job: Job, output: ProcessedOutput? = nil, renditions: [Rendition]? = nil,
        warnings: [MediaWarning]? = nil, error: Failure? = nil
    ) -> [OutboxMessage] {
        let event = JobEvent(
            kind, job: job, output: output, renditions: renditions?.map { $0.document(for: .client) },
            warnings: warnings, error: error)
        let topics = [Topic.events] + (hasWebhook ? [Topic.webhook] : [])
        return topics.map { message(event, topic: $0, key: job.videoID.rawValue, traceID: job.traceID) }
    }

    private static let largestPayload = 900_000

    /// The message for a dead-letter topic: the original payload, with the error in headers.
    static func deadLetter(_ letter: DeadLetter) -> OutboxMessage {
        var headers = letter.headers
        headers["dead-letter-topic"] = letter.topic
        headers["dead-letter-partition"] = letter.partition.map(String.init)
        headers["dead-letter-offset"] = letter.offset.map(String.init)
        headers["dead-letter-attempts"] = String(letter.attempts)
        headers["dead-letter-error-kind"] = letter.failure.kind.rawValue
        headers["dead-letter-error"] = letter.failure.message
        // The outbox holds only text, and the message with its headers must not exceed Kafka's default size limit.
        var payload = letter.payload.prefix(largestPayload)
        if String(validating: payload, as: UTF8.self) == nil {
            payload = letter.payload.prefix(largestPayload / 4 * 3).base64EncodedData()
            headers["dead-letter-encoding"] = "base64"
        }
        return OutboxMessage(
            id: letter.id, topic: Topic.deadLetters(of: letter.topic), key: letter.key ?? letter.id.rawValue,
            headers: headers, payload: payload, createdAt: letter.createdAt)
    }

    private func message(
        _ content: some Encodable, topic: String, key: String, traceID: String, dueAt: Timestamp? = nil
    ) -> OutboxMessage {
        let now = Timestamp.now
        // These documents contain only text, numbers and dates, so encoding cannot fail.
        let payload = (try? JSON.encode(content, pretty: false)) ?? Data()
        return OutboxMessage(
            id: .make(at: now), topic: topic, key: key,
            headers: [ReceivedMessage.Header.trace: traceID, ReceivedMessage.Header.schema: "1"], payload: payload,
            createdAt: now, dueAt: dueAt)
    }
}
