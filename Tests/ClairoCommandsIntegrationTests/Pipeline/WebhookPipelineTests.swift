import ClairoCore
import ClairoMessaging
import ClairoTestSupport
import Foundation
import Synchronization
import Testing

/// A pipeline with a receiver of webhooks.
@Suite(.sharesMachine) struct WebhookPipelineTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private struct Delivery: Sendable {
        var headers: [String: String]
        var body: Data
    }

    @Test func aReceiverGetsTheSignedEventsOfAWholeJob() async throws {
        let deliveries = Mutex<[Delivery]>([])
        let receiver = try StubServer { request, body in
            deliveries.withLock { $0.append(Delivery(headers: request.headers, body: body)) }
            return HTTPResponse(200)
        }
        defer { receiver.stop() }
        let secret = "whsec_of the test"
        let hook = [
            "CLAIRO_WEBHOOK_URL": receiver.url + "/hook", "CLAIRO_WEBHOOK_SECRET": secret, "NO_PROXY": "127.0.0.1",
        ]
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch)
        let id = try await pipeline.upload(try await Clip(seconds: 2).make())
        // The first task runs in a process with a webhook URL. Another process without one delivers the messages in the
        // end.
        #expect(try await pipeline.consumer("--once", more: hook).outcome().status == 0)
        #expect(try await pipeline.clairo("produce", "--once").status == 0)
        let consumed = try await pipeline.consumer("--until-idle", more: hook).outcome()
        #expect(consumed.status == 0, "\(consumed)")

        // A message with a late reply is sent again, and counts once.
        var known: Set<String?> = []
        let received = deliveries.withLock { $0 }.filter { known.insert($0.headers["clairo-delivery"]).inserted }
        let events = try received.map { try JSONDecoder().decode(JobEvent.self, from: $0.body) }
        #expect(events.map(\.event) == [.started, .planned, .ready])
        #expect(events.allSatisfy { $0.videoID == id })
        #expect(events.last?.output?.masterPlaylist?.hasSuffix("/master.m3u8") == true)
        for (delivery, event) in zip(received, events) {
            #expect(delivery.headers["clairo-event"] == event.event.rawValue)
            let signature = try #require(delivery.headers["clairo-signature"])
            let time = try #require(Int64(signature.prefix { $0 != "," }.dropFirst("t=".count)))
            #expect(signature == WebhookSignature.sign(delivery.body, secret: secret, time: time))
            #expect(abs(Date().timeIntervalSince1970 - Double(time)) < 3600)
        }
        #expect(Set(received.compactMap { $0.headers["clairo-delivery"] }).count == 3)
    }

    @Test func aProcessWithoutAWebhookURLKeepsWebhookMessages() async throws {
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch)
        var hook = MetadataSamples.message(of: .make(), topic: Topic.webhook)
        hook.payload = try JSON.encode(JobEvent(.ready, job: MetadataSamples.job(of: .make())), pretty: false)
        let message = hook
        try await pipeline.site.inspect { try await $0.post([message], about: nil) }
        #expect(try await pipeline.clairo("produce", "--once").text == "delivered 0, postponed 0, dead letters 0\n")
        #expect(try await pipeline.consumer("--until-idle").outcome().status == 0, "it does not wait for the message")
        #expect(try await pipeline.clairo("run", try await Clip(seconds: 2).make().path).status == 0)
        #expect(try await pipeline.site.inspect { try await $0.unsentMessages() } == 1)
    }
}
