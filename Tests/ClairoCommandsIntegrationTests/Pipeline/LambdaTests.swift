import ClairoCore
import ClairoStorage
import ClairoTestSupport
import Foundation
import Testing

/// `clairo produce --lambda` as run by AWS Lambda: the built program, a substitute for the runtime API, and a bucket
/// with the objects of S3's events.
@Suite(.sharesMachine) struct LambdaTests {
    private let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private static let traceID = "5bef4de7ad49b0e87f6ef6c87fc2e700"

    /// An S3 event notification, with the key encoded as by S3.
    private static func event(_ bucket: String, _ key: String) -> LambdaRuntimeAPI.Event {
        .init(
            #"{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"\#(bucket)"},"object":{"key":"\#(key)","sequencer":"0055AED6DCD90281E5"}}}]}"#
        )
    }

    /// A foreign bucket with objects.
    private func bucket(holding objects: [ObjectKey: Data]) async throws -> String {
        let server = try await S3Server.shared(.rclone)
        let name = try await server.makeBucket()
        let store = try StoreURL.open("s3://\(name)", environment: server.environment)
        try await onDedicatedThread(name: "put") { for (key, data) in objects { try store.put(data, at: key) } }
        return name
    }

    private struct Failure: Decodable {
        var errorMessage: String
        var errorType: String
    }

    @Test(.enabled(if: PipelineSite.Kind.services.isAvailable))
    func objectsNamedInEventsAreRegisteredAndQueued() async throws {
        let pipeline = try await PipelineSite.make(.services, in: scratch)
        let bucket = try await bucket(holding: [
            "2026/talk.mp4": try Data(contentsOf: try await Clip(seconds: 2).make()),
            "red flower.mp4": try Data(contentsOf: try await Clip(seconds: 1).make()),
            "notes.txt": Data("no film".utf8),
        ])
        let api = try LambdaRuntimeAPI([
            Self.event(bucket, "2026/talk.mp4"), "this is no event", Self.event("\(bucket)-gone", "talk.mp4"),
            Self.event(bucket, "red+flower.mp4"), Self.event(bucket, "red+flower.mp4"), Self.event(bucket, "notes.txt"),
            Self.event(bucket, "deleted.mp4"), #"{"Service":"Amazon S3","Event":"s3:TestEvent"}"#,
        ])
        defer { api.stop() }
        let function = try pipeline.start(["produce", "--lambda", "--log-format", "json"], more: api.environment)
        await api.isWaiting()
        function.send(SIGTERM)
        let outcome = try await function.outcome()
        #expect(outcome.status == 0, "\(outcome)")

        // Each event gets one response, in order. A failed event gets an error, and the next one is processed.
        let answers = api.answers
        let base = "/2018-06-01/runtime/invocation/request-"
        let ways = [
            "8/response", "7/error", "6/error", "5/response", "4/response", "3/response", "2/response", "1/response",
        ]
        try #require(answers.map(\.path) == ways.map { base + $0 }, "\(answers)")
        for (answer, type, words) in [
            (answers[1], "Clairo.badInput", "JSON"), (answers[2], "Clairo.refused", "\(bucket)-gone"),
        ] {
            let failure = try JSONDecoder().decode(Failure.self, from: Data(answer.body.utf8))
            #expect(failure.errorType == type && answer.type == type, "\(answer)")
            #expect(failure.errorMessage.contains(words), "\(answer)")
        }
        func summary(_ index: Int) throws -> [String: Int] {
            let object = try JSONSerialization.jsonObject(with: Data(answers[index].body.utf8)) as? [String: Any]
            return try #require(object).compactMapValues { ($0 as? [Any])?.count }.filter { $0.value > 0 }
        }
        #expect(try summary(0) == ["registered": 1])
        #expect(try summary(3) == ["registered": 1])
        // Lambda may send an event twice.
        #expect(try summary(4) == ["known": 1])
        #expect(try summary(5) == ["refused": 1])
        #expect(try summary(6) == ["ignored": 1])
        #expect(try summary(7) == [:])

        let videos = try await pipeline.site.inspect { try await $0.videos(VideoFilter(limit: 100)) }
        #expect(
            Set(videos.map(\.source.url)) == ["s3://\(bucket)/2026/talk.mp4", "s3://\(bucket)/red%20flower.mp4"])
        // Lambda's trace continues.
        #expect(videos.allSatisfy { $0.traceID == Self.traceID })
        #expect(try await pipeline.site.inspect { try await $0.unsentMessages() } == 2)
        let sent = try await pipeline.clairo("produce", "--once", "--json")
        #expect(sent.text.contains(#""delivered":2"#), "\(sent)")
        let kafka = try #require(pipeline.kafka)
        let messages = try await Kcat.messages(of: Topic.uploads, brokers: kafka.brokers)
        #expect(Set(messages.compactMap(\.key)) == Set(videos.map(\.id.rawValue)) && messages.count == 2)
        #expect(messages.allSatisfy { $0.headers?.contains(Self.traceID) == true }, "\(messages)")

        _ = try pipeline.relay()
        let consumed = try await pipeline.consumer("--until-idle").outcome()
        #expect(consumed.status == 0, "\(consumed)")
        for video in videos { #expect(try await pipeline.video(video.id).state == .ready) }
    }

    @Test func aFunctionThatCannotStartReportsWhyToLambda() async throws {
        let api = try LambdaRuntimeAPI([])
        defer { api.stop() }
        let outcome = try await ClairoProcess.run(
            "produce", "--lambda",
            environment: api.environment.merging([
                "CLAIRO_HOME": scratch.path("home"), "CLAIRO_DATABASE": "oracle://elsewhere",
            ]) { $1 })
        #expect(outcome.status == 78, "\(outcome)")
        let answer = try #require(api.answers.first)
        #expect(api.answers.count == 1 && answer.path == "/2018-06-01/runtime/init/error")
        let failure = try JSONDecoder().decode(Failure.self, from: Data(answer.body.utf8))
        #expect(failure.errorType == "Clairo.usage" && answer.type == failure.errorType, "\(answer)")
        #expect(failure.errorMessage.contains("oracle"), "\(answer)")
    }

    @Test func anIdleFunctionEndsWhenItIsStopped() async throws {
        let api = try LambdaRuntimeAPI([])
        defer { api.stop() }
        let function = try ClairoProcess.start(
            ["produce", "--lambda"], environment: api.environment.merging(["CLAIRO_HOME": scratch.path("home")]) { $1 })
        scratch.onCleanup { function.send(SIGKILL) }
        await api.isWaiting()
        function.send(SIGTERM)
        let outcome = try await function.outcome()
        #expect(outcome.status == 0 && api.answers.isEmpty, "\(outcome)")
    }
}
