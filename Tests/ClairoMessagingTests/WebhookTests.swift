import ClairoCore
import ClairoMessaging
import ClairoTestSupport
import Foundation
import Synchronization
import Testing

/// Webhooks from the perspective of a receiver.
@Suite struct WebhookTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    static let secret = "whsec_ä+secret/of tests"
    static let time = Timestamp(microseconds: 1_795_370_645_123_456)

    private struct Delivery: Sendable {
        var request: ClairoTestSupport.HTTPRequest
        var body: Data
    }

    private func message() throws -> OutboxMessage {
        let job = Job(
            id: .make(), videoID: .make(), profile: "default", priority: .normal, traceID: "t", createdAt: .now)
        let event = JobEvent(.ready, job: job, output: nil)
        return OutboxMessage(
            id: .make(), topic: Topic.webhook, key: job.videoID.rawValue,
            payload: try JSON.encode(event, pretty: false),
            createdAt: .now)
    }

    private func webhook(_ url: String, timeout: Double = 600) throws -> HTTPWebhook {
        try HTTPWebhook(
            url: url, secret: Self.secret, timeout: timeout, environment: ["NO_PROXY": "127.0.0.1"], now: { Self.time })
    }

    /// Sends one message to a server that always sends the same reply.
    private func failure(status: Int, headers: [String: String] = [:], body: Data = Data()) async throws -> ClairoError
    {
        let server = try StubServer { _, _ in HTTPResponse(status, body, headers: headers) }
        defer { server.stop() }
        let sender = try webhook(server.url + "/hooks/path-secret?token=query-secret")
        let message = try message()
        return try await #require(throws: ClairoError.self) { try await sender.send(message) }
    }

    // MARK: Content

    @Test func theReceiverGetsASignedEvent() async throws {
        let deliveries = Mutex<[Delivery]>([])
        let server = try StubServer { request, body in
            deliveries.withLock { $0.append(Delivery(request: request, body: body)) }
            return HTTPResponse(204)
        }
        defer { server.stop() }
        let message = try message()
        try await webhook(server.url + "/hooks/a?b=c").send(message)
        let delivery = try #require(deliveries.withLock { $0.first })
        #expect(deliveries.withLock { $0.count } == 1)
        #expect(
            delivery.request.method == "POST" && delivery.request.path == "/hooks/a" && delivery.request.query == "b=c")
        #expect(delivery.body == message.payload)
        let headers = delivery.request.headers
        #expect(headers["content-type"] == "application/json")
        #expect(headers["clairo-event"] == "job.ready")
        #expect(headers["clairo-delivery"] == message.id.rawValue)
        let signature = try #require(headers["clairo-signature"])
        #expect(signature.hasPrefix("t=1795370645,v1="))
        #expect(WebhookSignature.sign(delivery.body, secret: Self.secret, time: 1_795_370_645) == signature)
    }

    @Test(.enabled(if: TestTools.path(of: "python3") != nil, "python3 is not installed"))
    func theSignatureMatchesThatOfAnotherLibrary() async throws {
        let body = Data("{\"event\":\"job.ready\"}".utf8)
        try body.write(to: scratch.url("body"))
        let script = """
            import hashlib, hmac, sys
            body = open(sys.argv[1], 'rb').read()
            print(hmac.new(sys.argv[2].encode(), b'1795370645.' + body, hashlib.sha256).hexdigest())
            """
        let python = try await ChildProcess("python3", ["-c", script, scratch.path("body"), Self.secret]).outcome()
        let signature = "t=1795370645,v1=" + python.text.trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(WebhookSignature.sign(body, secret: Self.secret, time: 1_795_370_645) == signature)
    }

    @Test func aSignatureDependsOnBodySecretAndTime() {
        let body = Data("{\"event\":\"job.ready\"}".utf8)
        let signature = WebhookSignature.sign(body, secret: "s", time: 1000)
        #expect(WebhookSignature.sign(body, secret: "s", time: 1000) == signature)
        let code = signature.split(separator: "=").last
        for other in [
            WebhookSignature.sign(body + [32], secret: "s", time: 1000),
            WebhookSignature.sign(body, secret: "S", time: 1000), WebhookSignature.sign(body, secret: "s", time: 1001),
        ] {
            #expect(other.split(separator: "=").last != code)
        }
    }

    // MARK: Errors

    @Test(arguments: [200, 201, 202, 204, 299]) func everySuccessStatusIsAccepted(_ status: Int) async throws {
        let server = try StubServer { _, _ in HTTPResponse(status) }
        defer { server.stop() }
        try await webhook(server.url).send(try message())
    }

    @Test(arguments: [408, 425, 429, 500, 502, 503, 504, 599])
    func aTemporaryErrorStatusIsTransient(_ status: Int) async throws {
        let error = try await failure(status: status, body: Data("words of the receiver".utf8))
        #expect(error.kind == .transient && error.message.contains("\(status)"))
    }

    @Test(arguments: [400, 401, 403, 404, 405, 409, 410, 413, 422, 301, 302, 307, 308])
    func anyOtherErrorStatusIsPermanent(_ status: Int) async throws {
        let elsewhere = try StubServer { _, _ in HTTPResponse(200) }
        defer { elsewhere.stop() }
        let error = try await failure(status: status, headers: ["location": elsewhere.url])
        #expect(error.kind == .badInput && error.message.contains("\(status)"))
        #expect(elsewhere.requests.isEmpty)
        #expect(!error.description.contains("secret"), "\(error)")
    }

    @Test func anUnavailableReceiverIsATransientError() async throws {
        let server = try StubServer { _, _ in nil }
        let sender = try webhook(server.url + "/path-secret")
        let message = try message()
        let lost = try await #require(throws: ClairoError.self) { try await sender.send(message) }
        server.stop()
        let refused = try await #require(throws: ClairoError.self) { try await sender.send(message) }
        #expect(lost.kind == .transient && refused.kind == .transient && refused.exitCode == .unavailable)
        #expect(!"\(lost)\(refused)".contains("secret"))
    }

    @Test func aReceiverThatNeverRepliesFailsAfterTheTimeout() async throws {
        let server = try RawServer { connection in
            _ = connection.readHead()
            connection.waitForStop()
        }
        defer { server.stop() }
        let (sender, message) = (try webhook(server.url, timeout: 0.2), try message())
        let error = try await #require(throws: ClairoError.self) { try await sender.send(message) }
        #expect(error.kind == .transient)
    }

    @Test func aReceiverThatTricklesFailsAfterTheTimeout() async throws {
        let server = try RawServer { connection in
            _ = connection.readHead()
            connection.send("HTTP/1.1 500 No\r\nContent-Length: 100000000\r\n\r\n")
            while connection.send("x") {}
        }
        defer { server.stop() }
        let (sender, message) = (try webhook(server.url, timeout: 0.3), try message())
        let error = try await #require(throws: ClairoError.self) { try await sender.send(message) }
        #expect(error.kind == .transient)
    }

    @Test func anEndlessReplyBodyIsIgnored() async throws {
        let server = try RawServer { connection in
            let head = connection.readHead()
            _ = connection.read(head?.length ?? 0)
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n")
            while connection.send(Data(repeating: 120, count: 4096)) {}
        }
        defer { server.stop() }
        try await webhook(server.url).send(try message())
    }

    @Test func aMessageThatIsNotAnEventIsADefect() async throws {
        let server = try StubServer { _, _ in HTTPResponse(200) }
        defer { server.stop() }
        var message = try message()
        message.payload = Data("{}".utf8)
        let (sender, bad) = (try webhook(server.url), message)
        let error = try await #require(throws: ClairoError.self) { try await sender.send(bad) }
        #expect(error.kind == .defect && server.requests.isEmpty)
    }

    @Test(arguments: ["", "example.com", "ftp://host/x", "file:///etc/passwd", "https://", "/path"])
    func anInvalidURLIsRefused(_ url: String) throws {
        let error = try #require(throws: ClairoError.self) { try webhook(url) }
        #expect(error.exitCode == .configuration)
    }
}
