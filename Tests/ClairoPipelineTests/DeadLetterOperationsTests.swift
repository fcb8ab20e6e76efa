import ClairoCore
import ClairoMedia
import ClairoPipeline
import ClairoTestSupport
import Foundation
import Synchronization
import Testing

/// How dead letters are created, and how they are redriven.
@Suite struct DeadLetterOperationsTests {
    private let metadata = MemoryMetadata()

    private func start() throws -> JobStart {
        JobStart(metadata: metadata, policy: try QueuePolicy(""), messages: JobMessages())
    }

    private func operations() throws -> DeadLetterOperations {
        DeadLetterOperations(
            metadata: metadata,
            jobs: JobOperations(metadata: metadata, output: MemoryStore(), start: try start(), messages: JobMessages()))
    }

    private func letters() async throws -> [DeadLetter] {
        try await metadata.deadLetters(topic: nil, all: false, limit: 100)
    }

    /// Otherwise the first transient error would make it a dead letter again.
    @Test func aRedrivenMessageStartsOver() async throws {
        let events = ObjectEventHandler(
            ownStores: [], metadata: metadata, prober: EngineProber(MediaTaskEngine()),
            openBucket: { (_, _) throws(ClairoError) in throw .temporary("slow down") })
        let handler = UploadMessageHandler(metadata: metadata, start: try start(), events: events)
        func message(_ headers: [String: String]) -> ReceivedMessage {
            ReceivedMessage(
                topic: Topic.uploads, partition: 1, offset: 7, key: "k", headers: headers,
                payload: Data("{\"Records\":[\(UploadDialectTests.record())]}".utf8))
        }
        let tired = [
            "h": "v", "trace-id": "t", "intake-attempt": "30", "dead-letter-error": "old",
            "message-id": MessageID.make().rawValue,
        ]
        try await handler.handle(message(tired))
        let letter = try #require(try await letters().first)
        #expect(try await operations().redrive(letter) == .redriven)
        let again = try #require(metadata.messages.last)
        #expect(again.topic == Topic.uploads && again.key == "k" && again.payload == letter.payload)
        #expect(again.headers == ["h": "v", "trace-id": "t"])
        try await handler.handle(message(again.headers))
        #expect(try await letters().isEmpty, "it is retried and not a dead letter")
    }

    @Test func redriveRefusesABinaryPayloadWithAdvice() async throws {
        let letter = MetadataSamples.deadLetter()
        try await metadata.addDeadLetter(letter, messages: [])
        let error = try await #require(throws: ClairoError.self) { try await operations().redrive(letter) }
        #expect(error.kind == .badInput && error.advice?.contains("dlq show \(letter.id) --payload") == true)
        #expect(try await letters() == [letter] && metadata.messages.isEmpty)
    }

    @Test func theTaskOfADeletedVideoCannotBeRedriven() async throws {
        let letter = MetadataSamples.deadLetter(of: .make(), topic: Topic.tasks)
        try await metadata.addDeadLetter(letter, messages: [])
        #expect(try await operations().redrive(letter) == .videoIsGone)
        #expect(try await letters().isEmpty && metadata.messages.isEmpty)
        let redriven = try #require(try await metadata.deadLetter(letter.id))
        #expect(try await operations().redrive(redriven) == .wasRedriven)
    }

    @Test func aMessageRefusedByTheQueueGoesToItsDeadLetterTopic() async throws {
        let producer = Refusing([Topic.uploads, Topic.events])
        let relay = Relay(metadata: metadata, producer: producer, webhook: nil, owner: "relay")
        let message = MetadataSamples.message(of: .make())
        try await metadata.post([message, MetadataSamples.message(of: .make(), topic: Topic.events)], about: nil)
        #expect(try await relay.drain().deadLetters == 2)
        #expect(try await letters().map(\.topic).sorted() == [Topic.events, Topic.uploads])
        let sent = try #require(producer.sent.first)
        #expect(producer.sent.count == 1 && sent.topic == "clairo.uploads.dlq" && sent.key == message.key)
        #expect(sent.payload == message.payload && sent.headers["dead-letter-error"] == "too large")
        #expect(metadata.messages.isEmpty)
    }
}

/// A queue that refuses messages of some topics.
private final class Refusing: MessageProducer {
    private let topics: Set<String>
    private let taken = Mutex<[OutboxMessage]>([])

    init(_ topics: Set<String>) { self.topics = topics }

    var sent: [OutboxMessage] { taken.withLock { $0 } }

    func send(_ messages: [OutboxMessage]) async -> [ClairoError?] {
        messages.map { message in
            if topics.contains(message.topic) { return .badMedia("too large") }
            taken.withLock { $0.append(message) }
            return nil
        }
    }

    func close() async {}
}
