internal import ClairoTestSupport
internal import Foundation
internal import Testing

@Suite(.mostlyWaits) struct FaultProxyTests {
    /// Replies to each request with 1000 bytes, and describes the request in a header.
    private let server: StubServer
    private let scratch: Scratch

    init() throws {
        let server = try StubServer { request, body in
            HTTPResponse(
                200, Data(repeating: 7, count: 1000),
                headers: ["x-host": request.headers["host"] ?? "", "x-body": "\(body.count)"])
        }
        self.server = server
        scratch = try Scratch()
        scratch.onCleanup { server.stop() }
    }

    private func proxy(_ rules: FaultProxy.Rule...) throws -> FaultProxy {
        let proxy = try FaultProxy(to: server.port, rules)
        scratch.onCleanup { proxy.stop() }
        return proxy
    }

    /// Nil if the connection failed.
    private func put(_ proxy: FaultProxy, _ path: String = "/", bytes: Int = 500_000) async -> HTTPResponse? {
        try? await HTTPClient.send("PUT", proxy.endpoint + path, body: Data(repeating: 1, count: bytes))
    }

    @Test func requestsWithoutAMatchingRuleAreForwardedUnchanged() async throws {
        let proxy = try proxy(.init(.stall, "GET"), .init(.stall, "PUT", path: "/other"))
        let response = try #require(await put(proxy, "/a%20b?x=%2F"))
        #expect(response.status == 200)
        #expect(response.body == Data(repeating: 7, count: 1000))
        #expect(response.headers["x-body"] == "500000")
        #expect(response.headers["x-host"] == "127.0.0.1:\(proxy.port)")
        #expect(server.requests.map(\.path) == ["/a%20b"])
        #expect(proxy.exchanges.map(\.request.query) == ["x=%2F"])
        #expect(proxy.exchanges.allSatisfy { $0.fault == nil })
    }

    @Test func aRuleAppliesToTheMatchingRequestsItCounts() async throws {
        let proxy = try proxy(
            .init(.answer(status: 503, code: "SlowDown"), "PUT", query: "uploadId=", skipping: 1, times: 2))
        var statuses: [Int?] = []
        for path in ["/k?uploadId=1", "/k", "/k?uploadId=1", "/k?uploadId=1", "/k?uploadId=1"] {
            statuses.append(await put(proxy, path)?.status)
        }
        #expect(statuses == [200, 200, 503, 503, 200])
        #expect(server.requests.count == 3)
    }

    @Test(arguments: [200, 429, 500, 503]) func anInjectedReplyIsAnS3Error(status: Int) async throws {
        let proxy = try proxy(.init(.answer(status: status, code: "SlowDown")))
        let response = try #require(await put(proxy))
        #expect(response.status == status)
        #expect(response.text.contains("<Error><Code>SlowDown</Code>"))
        #expect(response.headers["content-type"] == "application/xml")
        #expect(server.requests.isEmpty)
    }

    @Test(arguments: [0, 1000, nil]) func aTruncatedRequestReachesNoHandler(limit: Int?) async throws {
        let proxy = try proxy(.init(.cutRequest(after: limit)))
        #expect(await put(proxy) == nil)
        #expect(server.requests.isEmpty)
        #expect(await put(proxy)?.status == 200)
    }

    @Test func aRequestCutHalfwayGetsNoReply() async throws {
        let proxy = try proxy(.init(.cutForwarded(after: 1000)))
        #expect(await put(proxy) == nil)
    }

    @Test func aDroppedReplyIsDroppedAfterTheServerHandledTheRequest() async throws {
        let proxy = try proxy(.init(.dropReply))
        #expect(await put(proxy) == nil)
        #expect(server.requests.count == 1)
    }

    @Test(arguments: [FaultProxy.Fault.cutReply(after: 10), .truncateReply(after: 10), .truncateReply(after: 0)])
    func aTruncatedReplyIsAnError(fault: FaultProxy.Fault) async throws {
        let proxy = try proxy(.init(fault))
        #expect(await put(proxy) == nil)
        #expect(server.requests.count == 1)
    }

    @Test func aShortenedReplyLooksComplete() async throws {
        let proxy = try proxy(.init(.shortenReply(to: 10)))
        #expect(await put(proxy)?.body == Data(repeating: 7, count: 10))
    }

    @Test(arguments: [FaultProxy.Fault.stall, .stallReply(after: 10)])
    func aStalledRequestEndsWhenItIsReleased(fault: FaultProxy.Fault) async throws {
        let proxy = try proxy(.init(fault))
        async let stalled = put(proxy, "/stalled")
        #expect(await proxy.exchange { $0.fault == fault }.request.path == "/stalled")
        // Other requests continue meanwhile.
        #expect(await put(proxy, "/other")?.status == 200)
        proxy.release()
        #expect(await stalled == nil)
    }

    @Test(
        .enabled(if: TestTools.path(of: "aws") != nil, "the aws client is not installed: Scripts/test does it"),
        .enabled(if: S3Server.isInstalled(.rclone), "rclone is not installed: Scripts/test does it"))
    func signaturesForTheProxysAddressAreValid() async throws {
        let server = try await S3Server.shared(.rclone)
        let proxy = try FaultProxy(
            to: server.port, [.init(.answer(status: 503, code: "SlowDown"), "PUT", path: "/file")])
        scratch.onCleanup { proxy.stop() }
        let bucket = try await server.makeBucket()
        let file = try scratch.write(String(repeating: "x", count: 3 << 20), to: "file")
        let aws = try #require(TestTools.path(of: "aws"))
        let outcome = try await ChildProcess(
            aws, ["s3", "cp", file, "s3://\(bucket)/file"], environment: S3Server.environment(endpoint: proxy.endpoint)
        ).outcome()
        #expect(outcome.status == 0, "\(outcome)")
        #expect(proxy.exchanges.map(\.fault) == [.answer(status: 503, code: "SlowDown"), nil])
    }
}
