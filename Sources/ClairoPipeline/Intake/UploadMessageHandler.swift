public import ClairoCore
internal import Foundation

/// Handles messages of the uploads topic: Clairo's own and storage events.
public struct UploadMessageHandler: Sendable {
    private let metadata: any VideoRecords & OutboxRecords & DeadLetterRecords
    private let start: JobStart
    private let events: ObjectEventHandler?
    /// The maximum number of attempts at a message. They take about a day; see `postpone`.
    private static let mostAttempts = 30

    /// - Parameter events: Registers objects that reached a bucket without Clairo. Nil rejects storage events.
    public init(
        metadata: any VideoRecords & OutboxRecords & DeadLetterRecords, start: JobStart, events: ObjectEventHandler?
    ) {
        self.metadata = metadata
        self.start = start
        self.events = events
    }

    /// Handles a message. Idempotent. A message that fails with an error that may pass, such as an event from a bucket that
    /// is unreachable or refuses, is sent again later, so that it does not block the messages behind it. A message that can never succeed
    /// is dead-lettered.
    /// - Returns: Errors to report: why the message was postponed or dead-lettered, and which objects of an event are
    ///   not videos.
    /// - Throws: An error if the message can neither be handled, postponed nor dead-lettered. It must then be delivered
    ///   again.
    @discardableResult
    public func handle(_ message: ReceivedMessage) async throws(ClairoError) -> [ClairoError] {
        do throws(ClairoError) {
            return try await read(message)
        } catch  where error.kind == .cancelled {
            throw error
        } catch  where error.mayPass {
            try await postpone(message, error)
            return [error]
        } catch {
            try await deadLetter(message, error)
            return [error]
        }
    }

    /// Starts the jobs of videos that have waited so long that their upload message must have been lost.
    /// - Returns: The number of started jobs.
    func startMissedJobs() async throws(ClairoError) -> Int {
        try await startJobs(of: try await waiting(forSeconds: 300, limit: 100))
    }

    /// Starts the jobs of a few videos that have waited for seconds. More are a backlog, which the queue shares out
    /// among all workers.
    /// - Returns: The number of started jobs.
    func startDelayedJobs() async throws(ClairoError) -> Int {
        let few = 8
        let videos = try await waiting(forSeconds: 5, limit: few + 1)
        return videos.count > few ? 0 : try await startJobs(of: videos)
    }

    private func waiting(forSeconds seconds: Double, limit: Int) async throws(ClairoError) -> [Video] {
        // The id of a video is older than its upload, so these are candidates, and usually there are none.
        let before = VideoID.make(at: .now.advanced(bySeconds: -seconds))
        return try await metadata.videos(VideoFilter(state: .uploaded, before: before, limit: limit))
            .filter { $0.uploadedAt.seconds(since: .now) < -seconds }
    }

    private func startJobs(of videos: [Video]) async throws(ClairoError) -> Int {
        var count = 0
        for video in videos {
            CrashPoint.reach("intake.received")
            guard try await start.begin(video.id) else { continue }
            CrashPoint.reach("intake.started")
            count += 1
        }
        return count
    }

    private func read(_ message: ReceivedMessage) async throws(ClairoError) -> [ClairoError] {
        switch try UploadDialect.read(message.payload) {
        case .video(let upload):
            _ = try await start.begin(upload.videoID)
            return []
        case .objects(let notices):
            guard let events else {
                throw .badMedia("The message is a storage event, but this consumer does not register objects")
            }
            // Each registered video comes back as one of Clairo's own messages, which starts its job.
            let summary = try await events.handle(notices)
            if !summary.unreadable.isEmpty { throw .badMedia(summary.unreadable.joined(separator: "; ")) }
            return summary.refused.map { .badMedia("\($0.object) is not registered: \($0.reason)") }
        }
    }

    /// Sends a message again after 2, 4, 8 … seconds, up to an hour, with a jitter of 25 %.
    private func postpone(_ message: ReceivedMessage, _ error: ClairoError) async throws(ClairoError) {
        let attempt = message.headers[ReceivedMessage.Header.intakeAttempt].flatMap { Int($0) } ?? 0
        guard attempt < Self.mostAttempts, String(validating: message.payload, as: UTF8.self) != nil else {
            return try await deadLetter(message, error)
        }
        let now = Timestamp.now
        let seconds = min(Double(2 << min(max(attempt, 0), 12)), 3600) * .random(in: 0.75...1.25)
        let id = MessageID.make(at: now)
        // A unique key, so that it neither waits for other messages nor delays them.
        let again = OutboxMessage(
            id: id, topic: message.topic, key: id.rawValue,
            headers: message.headers.merging([ReceivedMessage.Header.intakeAttempt: String(attempt + 1)]) { $1 },
            payload: message.payload, createdAt: now, dueAt: now.advanced(bySeconds: seconds))
        try await metadata.post([again], about: nil)
    }

    private func deadLetter(_ message: ReceivedMessage, _ error: ClairoError) async throws(ClairoError) {
        // A redelivered message gives the same dead-letter id. The checksum distinguishes it from a message at the same
        // position of a recreated topic.
        let place = "\(message.topic)/\(message.partition)/\(message.offset)"
        let letter = DeadLetter(
            id: .derived(from: "\(place)\n\(Checksum.sha256(message.payload))"), topic: message.topic,
            partition: message.partition, offset: message.offset,
            key: message.key, headers: message.headers, payload: message.payload.prefix(1 << 20),
            failure: Failure(error))
        try await metadata.addDeadLetter(letter, messages: [JobMessages.deadLetter(letter)])
    }
}
