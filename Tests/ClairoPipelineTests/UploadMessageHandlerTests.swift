import ClairoCore
import ClairoMedia
import ClairoPipeline
import ClairoTestSupport
import Foundation
import Testing

/// What becomes of messages on the topic of uploads.
@Suite struct UploadMessageHandlerTests {
    private let incoming = MemoryStore(bucket: "incoming")
    private let metadata = MemoryMetadata()
    private let clip = MemoryMedia.wav(samples: 8000)

    private func intake() throws -> UploadMessageHandler {
        let store = incoming
        let events = ObjectEventHandler(
            ownStores: [MemoryStore(bucket: "raw")], metadata: metadata, prober: EngineProber(MediaTaskEngine()),
            openBucket: { (name) throws(ClairoError) in
                if name == "slow" { throw .temporary("slow down") }
                guard name == "incoming" else { throw .noPermission("The credentials do not allow this on \(name)") }
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

    @Test func anEventRegistersAVideoWhoseOwnMessageBeginsItsJobOnce() async throws {
        try incoming.put(clip, at: "a.wav")
        let record = UploadDialectTests.record(key: "a.wav", eTag: Checksum.md5(clip))
        for _ in 0..<2 { try await intake().handle(message(event(record))) }
        let video = try #require(metadata.videos.first)
        let sent = metadata.messages.filter { $0.topic == Topic.uploads }
        #expect(sent.count == 1 && video.state == .uploaded)
        for _ in 0..<2 { try await intake().handle(message(sent[0].payload)) }
        #expect(try await metadata.jobs(of: video.id).count == 1)
        #expect(try await metadata.deadLetters(topic: nil, all: true, limit: 10).isEmpty)
    }

    static let hopeless = [
        "", "garbage", "{}", #"{"schema":2,"videoID":"01a20485-3cda-7be7-aafe-410d89345f78"}"#,
        "{\"Records\":[\(UploadDialectTests.record(bucket: "secrets-of-others"))]}",
        "{\"Records\":[\(UploadDialectTests.record(version: "3.0"))]}",
    ]

    @Test(arguments: hopeless) func whatCanNeverWorkBecomesOneDeadLetter(_ text: String) async throws {
        for _ in 0..<3 { try await intake().handle(message(Data(text.utf8))) }
        let letters = try await metadata.deadLetters(topic: nil, all: true, limit: 10)
        #expect(letters.count == 1 && letters[0].payload == Data(text.utf8) && !letters[0].failure.message.isEmpty)
        #expect(letters[0].offset == 7 && letters[0].headers == ["h": "v"])
        try await intake().handle(message(Data(text.utf8), offset: 8))
        #expect(try await metadata.deadLetters(topic: nil, all: true, limit: 10).count == 2)
    }

    @Test func goodRecordsBesideABadOneComeIn() async throws {
        try incoming.put(clip, at: "a.wav")
        let good = UploadDialectTests.record(key: "a.wav", eTag: Checksum.md5(clip))
        try await intake().handle(message(event("{}", good)))
        #expect(metadata.videos.count == 1)
        #expect(try await metadata.deadLetters(topic: nil, all: true, limit: 10).count == 1)
    }

    @Test func oneObjectThatCannotBeLookedAtKeepsNoneOfTheOthersOut() async throws {
        try incoming.put(clip, at: "a.wav")
        let slow = UploadDialectTests.record(bucket: "slow")
        let good = UploadDialectTests.record(key: "a.wav", eTag: Checksum.md5(clip))
        let told = try await intake().handle(message(event(slow, good)))
        #expect(metadata.videos.count == 1)
        // The event comes again for the other.
        #expect(told.map(\.kind) == [.transient] && metadata.messages.last?.topic == Topic.uploads)
    }

    @Test func aFileThatIsNoVideoIsReported() async throws {
        try incoming.put(Data("no film".utf8), at: "notes.txt")
        let record = UploadDialectTests.record(key: "notes.txt", eTag: Checksum.md5(Data("no film".utf8)))
        let told = try await intake().handle(message(event(record)))
        #expect(told.map(\.kind) == [.badInput] && told[0].message.contains("notes.txt"), "\(told)")
        #expect(try await metadata.deadLetters(topic: nil, all: true, limit: 10).isEmpty)
    }

    @Test func aMessageWithAnEndlessKeyIsBuriedLikeAnyOther() async throws {
        let key = String(repeating: "ключ", count: 300)
        let long = ReceivedMessage(
            topic: Topic.uploads, partition: 1, offset: 7, key: key, headers: [:], payload: Data("garbage".utf8))
        #expect(try await intake().handle(long).map(\.kind) == [.badInput])
        let letter = try #require(try await metadata.deadLetters(topic: nil, all: true, limit: 10).first)
        #expect(letter.key == key)
        #expect(metadata.messages.last?.key == String(key.prefix(500)))
    }

    @Test func whatMayWorkLaterIsSentAgainAfterLongerAndLongerAndBuriedInTheEnd() async throws {
        let intake = try intake()
        var next = message(event(UploadDialectTests.record(bucket: "slow")))
        var delays: [Double] = []
        while try await metadata.deadLetters(topic: nil, all: true, limit: 10).isEmpty {
            let reason = try await intake.handle(next)
            guard let again = metadata.messages.last, again.topic == next.topic else { break }
            #expect(reason.map(\.kind) == [.transient])
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
