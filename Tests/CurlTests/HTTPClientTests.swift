import ClairoTestSupport
import Curl
import Foundation
import Synchronization
import Testing

// The fixtures also have a type of this name.
private typealias HTTPClient = Curl.HTTPClient
private typealias HTTPRequest = Curl.HTTPRequest

@Suite(.ownThreads) struct HTTPClientTests {
    private let scratch: Scratch
    private let client = HTTPClient(plain)

    /// Proxies of the machine do not apply to the loopback address.
    private static let plain: HTTPClient.Configuration = {
        var configuration = HTTPClient.Configuration()
        configuration.environment = [:]
        return configuration
    }()

    init() throws { scratch = try Scratch() }

    private func server(
        _ address: RawServer.Address = .loopback, _ script: @escaping @Sendable (RawConnection) -> Void
    ) throws -> RawServer {
        let server = try RawServer(address, script: script)
        scratch.onCleanup { server.stop() }
        return server
    }

    private func failure(_ body: () throws -> Void) -> CurlError? {
        do {
            try body()
            return nil
        } catch { return error as? CurlError }
    }

    // MARK: Requests and replies

    @Test func theReplyHasStatusHeadersAndBody() throws {
        let server = try server { connection in
            guard let head = connection.readHead() else { return }
            connection.reply(
                404, headers: [("X-Twice", "a"), ("x-twice", "b"), ("X-Empty", "")],
                body: Data("\(head.method) \(head.target) \(head.headers["x-mine"] ?? "")".utf8))
        }
        let reply = try client.send(HTTPRequest("GET", server.url + "/a/../b%2F?x=1&y=", headers: ["X-Mine": "yes"]))
        #expect(reply.status == 404)
        #expect(reply.headers["X-TWICE"] == "a")
        #expect(reply.headers.filter { $0.name.lowercased() == "x-twice" }.map(\.value) == ["a", "b"])
        #expect(reply.headers["X-Empty"] == "")
        #expect(String(decoding: reply.body, as: UTF8.self) == "GET /a/../b%2F?x=1&y= yes")
    }

    @Test(arguments: ["PUT", "POST", "PATCH", "DELETE"])
    func aBodyIsSentWithItsLengthAndWithoutExpectContinue(method: String) throws {
        let server = try server { connection in
            guard let head = connection.readHead() else { return }
            let body = connection.read(head.length)
            connection.reply(
                head.headers["expect"] == nil && head.headers["transfer-encoding"] == nil ? 200 : 400,
                headers: [("X-Method", head.method)], body: body)
        }
        let data = bytes(3_000_000)
        let reply = try client.send(HTTPRequest(method, server.url), body: .data(data), limit: 4_000_000)
        #expect(reply.status == 200)
        #expect(reply.headers["X-Method"] == method)
        #expect(reply.body == data)
    }

    @Test(arguments: ["PUT", "POST", "DELETE", "HEAD", "GET"])
    func aPUTOrPOSTWithoutABodyDeclaresLengthZero(method: String) throws {
        let server = try server { connection in
            guard let head = connection.readHead() else { return }
            connection.send(
                "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Length: \(head.headers["content-length"] ?? "none")\r\n\r\n")
        }
        let reply = try client.send(HTTPRequest(method, server.url))
        #expect(reply.headers["X-Length"] == (["PUT", "POST"].contains(method) ? "0" : "none"))
    }

    @Test func onlyTheSliceOfASlicedBodyIsSent() throws {
        let server = try server { connection in
            guard let head = connection.readHead() else { return }
            connection.reply(200, body: connection.read(head.length))
        }
        let slice = bytes(1000)[100..<200]
        #expect(try client.send(HTTPRequest("PUT", server.url), body: .data(slice)).body == Data(slice))
    }

    @Test func aHeaderWithALineBreakIsRefused() throws {
        let request = HTTPRequest("GET", "http://127.0.0.1:1/", headers: ["X-Mine": "a\r\nX-Other: b"])
        #expect(failure { _ = try client.send(request) }?.category == .badRequest)
    }

    @Test func interimRepliesAreSkipped() throws {
        let server = try server { connection in
            guard connection.readHead() != nil else { return }
            connection.send("HTTP/1.1 102 Processing\r\nX-Head: first\r\n\r\n")
            connection.reply(200, body: Data("done".utf8))
        }
        let reply = try client.send(HTTPRequest("GET", server.url))
        #expect(reply.status == 200)
        #expect(reply.headers["X-Head"] == nil)
        #expect(reply.body == Data("done".utf8))
    }

    @Test func redirectsAreFollowedOnlyOnRequest() throws {
        let server = try server { connection in
            while let head = connection.readHead() {
                if head.target == "/to" {
                    connection.reply(200, body: Data("there".utf8))
                } else {
                    connection.reply(302, headers: [("Location", "/to")])
                }
            }
        }
        var request = HTTPRequest("GET", server.url + "/from")
        #expect(try client.send(request).status == 302)
        request.redirects = 3
        #expect(try client.send(request).body == Data("there".utf8))
    }

    @Test func requestsCanUseAUnixSocket() throws {
        let path = "/tmp/clairo-\(ProcessInfo.processInfo.processIdentifier)-curl.sock"
        let server = try server(.unixSocket(path: path)) { connection in
            guard let head = connection.readHead() else { return }
            connection.reply(200, body: Data(head.target.utf8))
        }
        scratch.onCleanup { unlink(path) }
        var request = HTTPRequest("GET", "http://docker/v1.41/info")
        request.unixSocket = path
        #expect(try client.send(request).body == Data("/v1.41/info".utf8))
        #expect(server.connections == 1)
    }

    // MARK: Streams

    @Test func aStreamOfKnownLengthIsSentWithBoundedMemory() throws {
        let server = try server { connection in
            guard let head = connection.readHead() else { return }
            var left = head.length
            while left > 0 {
                let piece = connection.read(min(left, 1 << 20))
                if piece.isEmpty { return }
                left -= piece.count
            }
            connection.reply(200, body: Data("\(head.length)".utf8))
        }
        let length = 200 << 20
        var left = length
        var largest = 0
        let reply = try client.send(
            HTTPRequest("PUT", server.url),
            body: .stream(length: Int64(length)) { buffer in
                let count = min(buffer.count, left)
                left -= count
                largest = max(largest, buffer.count)
                return count
            })
        #expect(reply.body == Data("\(length)".utf8))
        #expect(largest <= Self.plain.bufferSize)
    }

    @Test func aStreamOfUnknownLengthIsSentInChunks() throws {
        let server = try server { connection in
            guard let head = connection.readHead(), head.headers["transfer-encoding"] == "chunked" else { return }
            connection.reply(200, body: connection.readChunks())
        }
        var pieces = [Data("one ".utf8), Data("two ".utf8), Data("three".utf8)]
        let reply = try client.send(
            HTTPRequest("POST", server.url),
            body: .stream(length: nil) { buffer in
                if pieces.isEmpty { return 0 }
                let piece = pieces.removeFirst()
                piece.copyBytes(to: buffer)
                return piece.count
            })
        #expect(reply.body == Data("one two three".utf8))
    }

    @Test func aChunkedReplyIsStreamedAfterItsHead() throws {
        let server = try server { connection in
            guard connection.readHead() != nil else { return }
            connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Kind: stream\r\n\r\n")
            for word in ["ab", "cde", "f"] { connection.send("\(word.count)\r\n\(word)\r\n") }
            connection.send("0\r\n\r\n")
        }
        var kinds: Set<String> = []
        var received = Data()
        let reply = try client.stream(HTTPRequest("GET", server.url)) { head, piece in
            kinds.insert(head.headers["X-Kind"] ?? "")
            received.append(contentsOf: piece)
        }
        #expect(kinds == ["stream"])
        #expect(received == Data("abcdef".utf8))
        #expect(reply.body.isEmpty)
    }

    @Test func theBodyOfAnErrorReplyIsCollectedAndNotStreamed() throws {
        let server = try server { connection in
            guard connection.readHead() != nil else { return }
            connection.reply(403, body: bytes(100_000))
        }
        let reply = try client.stream(HTTPRequest("GET", server.url), limit: 1000) { _, _ in
            Issue.record("an error reply was streamed")
        }
        #expect(reply.status == 403)
        #expect(reply.body == bytes(100_000).prefix(1000))
    }

    /// The server can only send what fits into buffers while the receiver is blocked, not the whole body.
    @Test func aSlowReceiverSlowsTheSender() throws {
        let sent = Atomic<Int>(0)
        let total = 256 << 20
        let server = try server { connection in
            guard connection.readHead() != nil else { return }
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(total)\r\n\r\n")
            let piece = Data(count: 1 << 20)
            for _ in 0..<(total >> 20) {
                guard connection.send(piece) else { return }
                sent.add(piece.count, ordering: .relaxed)
            }
        }
        var received = 0
        var ahead = 0
        _ = try client.stream(HTTPRequest("GET", server.url)) { _, piece in
            received += piece.count
            ahead = max(ahead, sent.load(ordering: .relaxed) - received)
            // As slow as a disk: without back-pressure, the sender would finish much earlier.
            usleep(50)
        }
        #expect(received == total)
        #expect(ahead < 64 << 20)
    }

    @Test func anErrorThrownByAClosureEndsTheTransferAndIsRethrown() throws {
        struct Stop: Error {}
        let server = try server { connection in
            while let head = connection.readHead() {
                if head.length > 0 {
                    connection.waitForEnd()
                } else {
                    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
                    connection.send(bytes(500_000))
                    connection.waitForEnd()
                }
            }
        }
        #expect(throws: Stop.self) { _ = try client.stream(HTTPRequest("GET", server.url)) { _, _ in throw Stop() } }
        #expect(throws: Stop.self) {
            _ = try client.send(
                HTTPRequest("PUT", server.url), body: .stream(length: 1_000_000) { _ in throw Stop() })
        }
    }

    @Test func aReplyOverTheLimitIsRefused() throws {
        let server = try server { connection in
            guard connection.readHead() != nil else { return }
            connection.reply(200, body: bytes(1001))
        }
        #expect(failure { _ = try client.send(HTTPRequest("GET", server.url), limit: 1000) }?.category == .tooLarge)
        #expect(try client.send(HTTPRequest("GET", server.url), limit: 1001).body.count == 1001)
    }

    // MARK: Connections

    @Test func oneConnectionServesManyRequests() throws {
        let server = try server { connection in while connection.readHead() != nil { connection.reply(200) } }
        var configuration = Self.plain
        configuration.idleLifetime = 3600
        let client = HTTPClient(configuration)
        for _ in 0..<20 { #expect(try client.send(HTTPRequest("GET", server.url)).status == 200) }
        #expect(server.connections == 1)
    }

    @Test func aConnectionClosedByTheServerIsReplaced() throws {
        let server = try server { connection in
            guard let head = connection.readHead() else { return }
            connection.reply(200, body: connection.read(head.length))
        }
        for count in [10, 200_000, 0, 5] {
            #expect(try client.send(HTTPRequest("PUT", server.url), body: .data(bytes(count))).body == bytes(count))
        }
        #expect(server.connections == 4)
    }

    @Test func transfersRunConcurrently() async throws {
        let waiting = Mutex(0)
        // No reply is sent until all requests have arrived.
        let everybody = DispatchSemaphore(value: 0)
        let server = try server { connection in
            guard let head = connection.readHead() else { return }
            let body = connection.read(head.length)
            let isLast = waiting.withLock { count in
                count += 1
                return count == 8
            }
            if isLast { for _ in 0..<8 { everybody.signal() } }
            everybody.wait()
            connection.reply(200, body: body)
        }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for index in 0..<8 {
                group.addTask {
                    let data = bytes(100_000 + index)
                    return try await onThread {
                        try self.client.send(HTTPRequest("PUT", server.url), body: .data(data)).body == data
                    }
                }
            }
            for try await isSame in group { #expect(isSame) }
        }
    }

    // MARK: Failures

    @Test func aPortWithoutAListenerIsUnreachable() throws {
        let server = try server { _ in }
        let url = server.url
        server.stop()
        let error = failure { _ = try client.send(HTTPRequest("GET", url + "/secret?X-Amz-Signature=secret")) }
        #expect(error?.category == .unreachable)
        #expect(error?.isRetryable == true)
        #expect(error?.hasBegunReply == false)
        #expect(error.map { "\($0)" }?.contains("secret") == false)
        #expect(error.map { "\($0)" }?.contains(url) == true)
        #expect(
            failure { _ = try client.send(HTTPRequest("GET", "http://nobody.invalid/")) }?.category == .unreachable)
    }

    @Test func anErrorShowsOnlyTheHostOfTheURL() throws {
        for url in ["ftp://user:secret@host/secret?secret", "http://user:secret@host:99999/secret?secret", "secret"] {
            let error = try #require(failure { _ = try client.send(HTTPRequest("GET", url)) })
            #expect(!"\(error)".contains("secret"), "\(error)")
        }
    }

    @Test(arguments: [0, 10, 400_000]) func aConnectionLostMidwayIsAnError(bytesBefore: Int) throws {
        let server = try server { connection in
            guard connection.readHead() != nil else { return }
            if bytesBefore > 0 { connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n") }
            connection.send(bytes(bytesBefore))
        }
        let error = failure { _ = try client.send(HTTPRequest("GET", server.url)) }
        #expect(error?.category == .connectionLost)
        #expect(error?.isRetryable == true)
        #expect(error?.hasBegunReply == (bytesBefore > 0))
    }

    @Test func aTruncatedChunkedReplyIsAnError() throws {
        let server = try server { connection in
            guard connection.readHead() != nil else { return }
            connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        }
        #expect(failure { _ = try client.send(HTTPRequest("GET", server.url)) }?.category == .connectionLost)
    }

    @Test func aResetIsALostConnection() throws {
        let server = try server { connection in
            guard connection.readHead() != nil else { return }
            connection.reset()
        }
        let error = failure { _ = try client.send(HTTPRequest("PUT", server.url), body: .data(bytes(5_000_000))) }
        #expect(error?.category == .connectionLost)
    }

    @Test func aReplyThatIsNotHTTPIsABadReply() throws {
        let server = try server { connection in
            guard connection.readHead() != nil else { return }
            connection.send("220 mail.example ESMTP\r\n250 ok\r\n")
        }
        #expect(failure { _ = try client.send(HTTPRequest("GET", server.url)) }?.category == .badReply)
    }

    @Test func endlessHeadersAreAnError() throws {
        let server = try server { connection in
            guard connection.readHead() != nil else { return }
            connection.send("HTTP/1.1 200 OK\r\n")
            let line = "X-Fill: " + String(repeating: "x", count: 50_000) + "\r\n"
            while connection.send(line) {}
        }
        #expect(throws: CurlError.self) { _ = try client.send(HTTPRequest("GET", server.url)) }
    }

    @Test(arguments: [false, true]) func aStallEndsTheTransfer(afterHead: Bool) throws {
        let server = try server { connection in
            guard connection.readHead() != nil else { return }
            if afterHead { connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc") }
            connection.waitForEnd()
        }
        var request = HTTPRequest("GET", server.url)
        request.stallTimeout = 0.3
        let error = failure { _ = try client.send(request) }
        #expect(error?.category == .timeout)
        #expect(error?.isRetryable == true)
    }

    @Test func aServerThatStopsReadingIsAStall() throws {
        let server = try server { connection in
            guard connection.readHead() != nil else { return }
            connection.waitForStop()
        }
        var request = HTTPRequest("PUT", server.url)
        request.stallTimeout = 0.3
        let stopped = failure { _ = try client.send(request, body: .data(Data(count: 64 << 20))) }
        #expect(stopped?.category == .timeout)
        server.stop()
    }

    @Test func cancellationEndsATransferAtOnce() async throws {
        let isWaiting = DispatchSemaphore(value: 0)
        let server = try server { connection in
            guard connection.readHead() != nil else { return }
            isWaiting.signal()
            connection.waitForEnd()
        }
        let cancellation = Cancellation()
        let client = client
        let transfer = Task {
            try await onThread { () -> (CurlError?, ContinuousClock.Instant) in
                do {
                    _ = try client.send(HTTPRequest("GET", server.url), cancellation: cancellation)
                    return (nil, .now)
                } catch { return (error as? CurlError, .now) }
            }
        }
        let cancelled = try await onThread {
            isWaiting.wait()
            cancellation.cancel()
            return ContinuousClock.now
        }
        let (error, ended) = try await transfer.value
        #expect(error?.category == .cancelled)
        #expect(error?.isRetryable == false)
        // Without the wake-up, it would take the stall timeout of a minute. The rest is margin for a busy machine.
        #expect(ended - cancelled < .seconds(20))
        // A token stays triggered.
        #expect(
            failure { _ = try client.send(HTTPRequest("GET", server.url), cancellation: cancellation) }?.category
                == .cancelled)
        #expect(cancellation.sleep(seconds: 60) == false)
    }

    // MARK: The environment

    @Test func theProxyOfTheEnvironmentIsUsedExceptForExcludedHosts() throws {
        let server = try server { connection in
            while let head = connection.readHead() { connection.reply(200, body: Data(head.target.utf8)) }
        }
        var configuration = HTTPClient.Configuration()
        configuration.environment = ["http_proxy": server.url, "NO_PROXY": "other.invalid,.local.invalid"]
        let client = HTTPClient(configuration)
        let reply = try client.send(HTTPRequest("GET", "http://bucket.invalid/key"))
        #expect(reply.body == Data("http://bucket.invalid/key".utf8))
        #expect(failure { _ = try client.send(HTTPRequest("GET", "http://other.invalid/")) }?.category == .unreachable)
        #expect(
            failure { _ = try client.send(HTTPRequest("GET", "http://a.local.invalid/")) }?.category == .unreachable)
        configuration.environment = ["HTTP_PROXY": server.url]
        #expect(
            failure { _ = try HTTPClient(configuration).send(HTTPRequest("GET", "http://bucket.invalid/")) }?.category
                == .unreachable)
    }

    @Test(.enabled(if: TestTools.path(of: "openssl") != nil, "openssl is not installed"))
    func aPrivateCertificateIsTrustedOnlyIfItIsConfigured() async throws {
        let (key, certificate) = (scratch.path("key.pem"), scratch.path("certificate.pem"))
        let made = try await ChildProcess(
            "openssl",
            [
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate,
            ]
        ).outcome()
        #expect(made.status == 0, "\(made)")
        let server = try ChildProcess(
            "openssl", ["s_server", "-accept", "127.0.0.1:0", "-key", key, "-cert", certificate, "-www"])
        scratch.onCleanup { server.send(SIGKILL) }
        let line = try #require(await server.line(on: .output) { $0.hasPrefix("ACCEPT") })
        let port = try #require(line.split(separator: ":").last.flatMap { Int($0) })
        let request = HTTPRequest("GET", "https://localhost:\(port)/")
        let refusal = failure { _ = try client.send(request) }
        #expect(refusal?.category == .tls)
        #expect(refusal?.isRetryable == false)
        for name in ["AWS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"] {
            var configuration = HTTPClient.Configuration()
            configuration.environment = [name: certificate]
            #expect(try HTTPClient(configuration).send(request).status == 200)
        }
        var configuration = HTTPClient.Configuration()
        configuration.environment = ["AWS_CA_BUNDLE": certificate]
        let otherName = HTTPRequest("GET", "https://127.0.0.1:\(port)/")
        #expect(failure { _ = try HTTPClient(configuration).send(otherName) }?.category == .tls)
    }
}

/// Bytes that depend on position and length.
private func bytes(_ count: Int) -> Data { MemoryMedia.noise(count, seed: count) }

/// Runs blocking work outside the cooperative thread pool.
private func onThread<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
    try await withCheckedThrowingContinuation { continuation in
        Thread { continuation.resume(with: Result { try body() }) }.start()
    }
}
