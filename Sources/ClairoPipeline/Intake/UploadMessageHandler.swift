public import ClairoCore
internal import Foundation

/// Deals with a message about an upload, whoever sent it: Clairo's own, an event of S3, MinIO's envelope of one.
public struct UploadMessageHandler: Sendable {
    private let metadata: any MetadataStore
    private let start: JobStart
    private let events: ObjectEventHandler?
    /// About a day in all, by `putOff`.
    private static let mostAttempts = 30

    /// - Parameter events: registers objects that came into a bucket without Clairo; nil to refuse events.
    public init(metadata: any MetadataStore, start: JobStart, events: ObjectEventHandler?) {
        self.metadata = metadata
        self.start = start
        self.events = events
    }

    /// Begins what follows from a message. Doing it twice is doing it once. What may work later, such as an event of a bucket
    /// that cannot be reached now, is sent again after a while, so that it holds up nothing behind it; what can never work
    /// has become a dead letter.
    /// - Returns: what somebody should be told: why the message was put off or buried, which objects of an event are no videos.
    /// - Throws: where not even that can be written down.
    @discardableResult
    public func take(_ message: ReceivedMessage) async throws(ClairoError) -> [ClairoError] {
        do throws(ClairoError) {
            return try await read(message)
        } catch  where error.kind == .cancelled {
            throw error
        } catch  where [.transient, .capacity].contains(error.kind) {
            try await putOff(message, error)
            return [error]
        } catch {
            // Also where a bucket is none of ours to read: strangers' events must not stop the topic.
            try await deadLetter(message, error)
            return [error]
        }
    }

    /// Begins the jobs of videos that have waited so long that no message about them can be on its way.
    /// - Returns: how many.
    func takeForgotten(olderThanSeconds seconds: Double) async throws(ClairoError) -> Int {
        var count = 0
        for video in try await metadata.videos(VideoFilter(state: .uploaded, limit: 1000))
        where video.uploadedAt.seconds(since: .now) < -seconds {
            if try await start.begin(video.id) { count += 1 }
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
                throw .badMedia("The message is an event of a bucket, which this consumer does not register")
            }
            // What is registered comes back as a message of our own.
            let summary = try await events.take(notices)
            if !summary.unreadable.isEmpty { throw .badMedia(summary.unreadable.joined(separator: "; ")) }
            return summary.refused.map { .badMedia("\($0.object) is not registered: \($0.reason)") }
        }
    }

    /// Sends a message again: after 2, 4, 8… seconds, at most an hour, give or take a quarter.
    private func putOff(_ message: ReceivedMessage, _ error: ClairoError) async throws(ClairoError) {
        let attempt = message.headers[ReceivedMessage.Header.intakeAttempt].flatMap { Int($0) } ?? 0
        guard attempt < Self.mostAttempts, String(validating: message.payload, as: UTF8.self) != nil else {
            return try await deadLetter(message, error)
        }
        let now = Timestamp.now
        let seconds = min(Double(2 << min(max(attempt, 0), 12)), 3600) * .random(in: 0.75...1.25)
        let id = MessageID.make(at: now)
        // A key of its own: it is to wait for no other, and no other for it.
        let again = OutboxMessage(
            id: id, topic: message.topic, key: id.rawValue,
            headers: message.headers.merging([ReceivedMessage.Header.intakeAttempt: String(attempt + 1)]) { $1 },
            payload: message.payload, createdAt: now, dueAt: now.advanced(bySeconds: seconds))
        try await metadata.post([again], about: nil)
    }

    private func deadLetter(_ message: ReceivedMessage, _ error: ClairoError) async throws(ClairoError) {
        // The same message gives the same letter, however often it comes. In a topic that was made anew another may have its
        // place.
        let place = "\(message.topic)/\(message.partition)/\(message.offset)"
        let letter = DeadLetter(
            id: .derived(from: "\(place)\n\(Checksum.sha256(message.payload))"), topic: message.topic,
            partition: message.partition, offset: message.offset,
            key: message.key, headers: message.headers, payload: message.payload.prefix(1 << 20),
            failure: Failure(error))
        try await metadata.addDeadLetter(letter, messages: [JobMessages.deadLetter(letter)])
    }
}
