import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

/// `clairo dlq` and the dead-letter topics, as operators use them.
@Suite(.mostlyWaits, .ownThreads) struct DeadLetterTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private struct List: Decodable {
        var deadLetters: [Letter]
    }

    private struct Letter: Decodable {
        var id: MessageID
        var topic: String
        var key: String?
        var headers: [String: String]
        var payload: String?
        var payloadBase64: String?
        var failure: Failure
        var videoID: VideoID?
        var redrivenAt: Timestamp?
    }

    private func list(_ pipeline: PipelineSite, _ arguments: String...) async throws -> [Letter] {
        let outcome = try await pipeline.start(["dlq", "list", "--json"] + arguments).outcome()
        try #require(outcome.status == 0, "\(outcome)")
        return try JSONDecoder().decode(List.self, from: outcome.output).deadLetters
    }

    /// Writes dead letters to the database, each newer than the previous one.
    private func write(_ letters: [DeadLetter], to pipeline: PipelineSite) async throws -> [DeadLetter] {
        var letters = letters
        for index in letters.indices {
            letters[index].createdAt = letters[index].createdAt.advanced(bySeconds: Double(index) - 60)
        }
        let written = letters
        try await pipeline.site.inspect { store in
            for letter in written { try await store.addDeadLetter(letter, messages: []) }
        }
        return written
    }

    private static func text(_ text: String = "{\"schema\":99}") -> DeadLetter {
        var letter = MetadataSamples.deadLetter()
        letter.payload = Data(text.utf8)
        return letter
    }

    @Test func deadLettersAreListedAndShown() async throws {
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch)
        #expect(try await pipeline.clairo("dlq", "list").text == "No dead letters.\n")
        let task = MetadataSamples.deadLetter(of: .make(), topic: Topic.tasks)
        let letters = try await write([Self.text(), MetadataSamples.deadLetter(), task], to: pipeline)

        let table = try await pipeline.clairo("dlq", "list")
        for letter in letters { #expect(table.text.contains(letter.id.rawValue)) }
        #expect(table.text.contains("garbage") && table.text.contains(task.videoID?.rawValue ?? "none"))
        #expect(try await list(pipeline).map(\.id) == letters.reversed().map(\.id))
        #expect(try await list(pipeline, "--topic", Topic.tasks).map(\.id) == [task.id])
        #expect(try await list(pipeline, "--limit", "2").map(\.id) == [letters[2].id, letters[1].id])

        let shown = try await pipeline.clairo("dlq", "show", letters[0].id.rawValue)
        let letter = try JSONDecoder().decode(Letter.self, from: shown.output)
        #expect(letter.payload == "{\"schema\":99}" && letter.payloadBase64 == nil)
        #expect(letter.key == letters[0].key && letter.headers == letters[0].headers)
        #expect(letter.failure == letters[0].failure)
        let binary = try await pipeline.clairo("dlq", "show", letters[1].id.rawValue)
        let encoded = try JSONDecoder().decode(Letter.self, from: binary.output)
        #expect(encoded.payload == nil && encoded.payloadBase64 == letters[1].payload.base64EncodedString())
        let bytes = try await pipeline.clairo("dlq", "show", letters[1].id.rawValue, "--payload")
        #expect(bytes.status == 0 && bytes.output == letters[1].payload)

        #expect(try await pipeline.clairo("dlq", "show", MessageID.make().rawValue).status == 66)
        #expect(try await pipeline.clairo("dlq", "show", "7").status == 64)
    }

    @Test func aDeadLetterThatCannotBeRedrivenDoesNotStopTheOthers() async throws {
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch)
        // The last two are the newest, so they are first in the list: the task of a deleted video, and one that cannot
        // be sent.
        let letters = try await write(
            [
                Self.text("fine"), Self.text("fine too"), MetadataSamples.deadLetter(of: .make(), topic: Topic.tasks),
                MetadataSamples.deadLetter(),
            ], to: pipeline)
        let named = try await pipeline.clairo(
            "dlq", "redrive", MessageID.make().rawValue, letters[1].id.rawValue, letters[1].id.rawValue)
        #expect(named.status == 66 && named.text == "redriven 1 of 3\n", "\(named)")
        let all = try await pipeline.clairo("dlq", "redrive", "--all")
        #expect(all.status == 65 && all.text == "redriven 1 of 3\n", "\(all)")
        #expect(all.errors.contains("\(letters[3].id) is not UTF-8 text") && all.errors.contains("--payload"))
        #expect(all.errors.contains("\(letters[2].id) was deleted"))
        #expect(try await list(pipeline).map(\.id) == [letters[3].id], "only the one that cannot be sent is left")
        #expect(try await list(pipeline, "--all").count == 4)

        #expect(try await pipeline.clairo("produce", "--once").text == "delivered 2, postponed 0, dead letters 0\n")
        let sent = try await pipeline.site.inspect { store in
            try await store.claimQueued(topics: [Topic.uploads], owner: "test", limit: 9, leaseSeconds: 9).map(
                \.message)
        }
        // Both have the same key, so the second is delivered after the first is done.
        #expect(sent.map(\.payload) == [letters[1].payload] && sent.first?.key == letters[1].key)
    }

    @Test(
        .enabled(
            if: PipelineSite.Kind.services.isAvailable && Kcat.isInstalled, "kcat, rclone or MariaDB are not installed")
    )
    func anUnreadableMessageGoesToTheDeadLetterTopicAndCanBeRedriven() async throws {
        let pipeline = try await PipelineSite.make(.services, in: scratch)
        let brokers = try #require(pipeline.kafka).brokers
        let binary = Data([0, 255, 128, 10])
        try await Kcat.produce(
            Data("garbage".utf8), key: "k", headers: [("h", "v"), ("message-id", MessageID.make().rawValue)],
            to: Topic.uploads, brokers: brokers)
        try await Kcat.produce(binary, key: "b", to: Topic.uploads, brokers: brokers)
        _ = try pipeline.relay()
        _ = try pipeline.consumer(lease: PipelineSite.lease)
        let topic = Topic.deadLetters(of: Topic.uploads)
        func found(_ key: String) async throws -> [[String: [String]]] {
            try await Kcat.messages(of: topic, brokers: brokers).filter { $0.key == key }.map { message in
                let headers = message.headers ?? []
                let pairs = stride(from: 0, to: headers.count - 1, by: 2).map { (headers[$0], headers[$0 + 1]) }
                return Dictionary(grouping: pairs) { $0.0 }.mapValues { $0.map(\.1) }.merging([
                    "": [message.payload ?? ""]
                ]) { $1 }
            }
        }
        try await eventually {
            let (text, other) = (try await found("k"), try await found("b"))
            return text.count == 1 && other.count == 1
        }

        let letter = try #require(try await list(pipeline).first { $0.key == "k" })
        let headers = try #require(try await found("k").first)
        #expect(headers[""] == ["garbage"] && headers["h"] == ["v"])
        #expect(headers["message-id"] == [letter.id.rawValue], "it has one id, its own")
        #expect(headers["dead-letter-topic"] == [Topic.uploads] && headers["dead-letter-attempts"] == ["1"])
        #expect(headers["dead-letter-partition"]?.count == 1 && headers["dead-letter-offset"] == ["0"])
        #expect(headers["dead-letter-error-kind"] == ["badInput"])
        #expect(headers["dead-letter-error"] == [letter.failure.message])
        let encoded = try #require(try await found("b").first)
        #expect(encoded[""] == [binary.base64EncodedString()] && encoded["dead-letter-encoding"] == ["base64"])

        // It is redelivered unchanged, fails again, and becomes a dead letter again.
        #expect(try await pipeline.clairo("dlq", "redrive", letter.id.rawValue).status == 0)
        try await eventually { try await found("k").count == 2 }
        let sent = try await Kcat.messages(of: Topic.uploads, brokers: brokers).filter { $0.payload == "garbage" }
        #expect(sent.count == 2 && sent.allSatisfy { $0.key == "k" })
        for message in sent {
            #expect(message.headers?.contains { $0.hasPrefix("dead-letter-") || $0 == "intake-attempt" } == false)
            #expect(message.headers?.count { $0 == "message-id" } == 1)
        }
    }
}
