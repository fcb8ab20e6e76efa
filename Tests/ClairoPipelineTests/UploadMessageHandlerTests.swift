import ClairoCore
import ClairoMedia
import ClairoPipeline
import ClairoTestSupport
import Foundation
import Testing

/// The handling of messages on the uploads topic.
@Suite struct UploadMessageHandlerTests {
    private let incoming = MemoryStore(bucket: "incoming")
    private let metadata = MemoryMetadata()
    private let clip = MemoryMedia.wav(samples: 8000)

    private func handler() throws -> UploadMessageHandler {
        let store = incoming
        let events = ObjectEventHandler(
            ownStores: [MemoryStore(bucket: "raw")], metadata: metadata, prober: EngineProber(MediaTaskEngine()),
            openBucket: { (name, _) throws(ClairoError) in
                if name == "slow" { throw .temporary("slow down") }
                guard name == "incoming" else { throw .refused("The credentials do not allow this on \(name)") }
                return store
            })
        return UploadMessageHandler(
            metadata: metadata,
            start: JobStart(metadata: metadata, policy: try QueuePolicy(""), messages: JobMessages()), events: events)
    }

    private func message(_ payload: Data, offset: Int64 = 7) -> ReceivedMessage {
        ReceivedMessage(
            topic: Topic.uploads, partition: 1, offset: offset, key: "k", headers: ["h": "v"], payload: payload)
    }

    private func event(_ records: String...) -> Data { Data("{\"Records\":[\(records.joined(separator: ","))]}".utf8) }

    @Test func anEventRegistersAVideoAndStartsItsJobOnce() async throws {
        try incoming.put(clip, at: "a.wav")
        let record = UploadDialectTests.record(key: "a.wav", eTag: Checksum.md5(clip))
        for _ in 0..<2 { try await handler().handle(message(event(record))) }
        let video = try #require(metadata.videos.first)
        let sent = metadata.messages.filter { $0.topic == Topic.uploads }
        #expect(sent.count == 1 && video.state == .uploaded)
        for _ in 0..<2 { try await handler().handle(message(sent[0].payload)) }
        #expect(try await metadata.jobs(of: video.id).count == 1)
        #expect(try await metadata.deadLetters(topic: nil, all: true, limit: 10).isEmpty)
    }

    static let hopeless = [
        "", "garbage", "{}", #"{"schema":2,"videoID":"01a20485-3cda-7be7-aafe-410d89345f78"}"#,
        "{\"Records\":[\(UploadDialectTests.record(version: "3.0"))]}",
    ]

    @Test(arguments: hopeless) func aMessageThatCanNeverSucceedBecomesOneDeadLetter(_ text: String) async throws {
        for _ in 0..<3 { try await handler().handle(message(Data(text.utf8))) }
        let letters = try await metadata.deadLetters(topic: nil, all: true, limit: 10)
        #expect(letters.count == 1 && letters[0].payload == Data(text.utf8) && !letters[0].failure.message.isEmpty)
        #expect(letters[0].offset == 7 && letters[0].headers == ["h": "v"])
        try await handler().handle(message(Data(text.utf8), offset: 8))
        #expect(try await metadata.deadLetters(topic: nil, all: true, limit: 10).count == 2)
    }

    @Test func validRecordsAreRegisteredDespiteAnInvalidOne() async throws {
        try incoming.put(clip, at: "a.wav")
        let good = UploadDialectTests.record(key: "a.wav", eTag: Checksum.md5(clip))
        try await handler().handle(message(event("{}", good)))
        #expect(metadata.videos.count == 1)
        #expect(try await metadata.deadLetters(topic: nil, all: true, limit: 10).count == 1)
    }

    @Test func anUnreachableObjectDoesNotStopTheOthers() async throws {
        try incoming.put(clip, at: "a.wav")
        let slow = UploadDialectTests.record(bucket: "slow")
        let good = UploadDialectTests.record(key: "a.wav", eTag: Checksum.md5(clip))
        let errors = try await handler().handle(message(event(slow, good)))
        #expect(metadata.videos.count == 1)
        // The event is sent again for the other object.
        #expect(errors.map(\.kind) == [.transient] && metadata.messages.last?.topic == Topic.uploads)
    }

    @Test func aFileThatIsNotAVideoIsReported() async throws {
        try incoming.put(Data("no film".utf8), at: "notes.txt")
        let record = UploadDialectTests.record(key: "notes.txt", eTag: Checksum.md5(Data("no film".utf8)))
        let errors = try await handler().handle(message(event(record)))
        #expect(errors.map(\.kind) == [.badInput] && errors[0].message.contains("notes.txt"), "\(errors)")
        #expect(try await metadata.deadLetters(topic: nil, all: true, limit: 10).isEmpty)
    }

    @Test func aMessageWithAVeryLongKeyBecomesADeadLetter() async throws {
        let key = String(repeating: "ключ", count: 300)
        let long = ReceivedMessage(
            topic: Topic.uploads, partition: 1, offset: 7, key: key, headers: [:], payload: Data("garbage".utf8))
        #expect(try await handler().handle(long).map(\.kind) == [.badInput])
        let letter = try #require(try await metadata.deadLetters(topic: nil, all: true, limit: 10).first)
        #expect(letter.key == key)
        #expect(metadata.messages.last?.key == String(key.prefix(500)))
    }

    /// A bucket of others is refused forever, and one of ours until its policy is mended.
    @Test(arguments: [("slow", ClairoError.Kind.transient), ("secrets-of-others", .refused)])
    func anErrorThatMayPassIsRetriedWithIncreasingDelaysAndThenBecomesADeadLetter(
        _ bucket: String, _ kind: ClairoError.Kind
    ) async throws {
        let handler = try handler()
        var next = message(event(UploadDialectTests.record(bucket: bucket)))
        var delays: [Double] = []
        while try await metadata.deadLetters(topic: nil, all: true, limit: 10).isEmpty {
            let reason = try await handler.handle(next)
            guard let again = metadata.messages.last, again.topic == next.topic else { break }
            #expect(reason.map(\.kind) == [kind])
            #expect(again.payload == next.payload && again.headers["h"] == "v")
            delays.append(again.dueAt.seconds(since: again.createdAt))
            next = ReceivedMessage(
                topic: again.topic, partition: 1, offset: Int64(delays.count), key: again.key, headers: again.headers,
                payload: again.payload)
        }
        #expect(delays.count == 30)
        #expect(delays[0] < 3 && delays[3] > 10 && delays.allSatisfy { $0 <= 4500 })
        #expect(delays.reduce(0, +) > 12 * 3600)
    }
}
