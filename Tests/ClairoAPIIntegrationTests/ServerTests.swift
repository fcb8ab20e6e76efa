internal import ClairoCore
internal import ClairoPipeline
internal import ClairoStorage
internal import ClairoTestSupport
internal import Foundation
internal import Testing

@testable internal import ClairoAPI

/// Everything except uploading: access control, replies, and what is never disclosed.
@Suite(.mostlyWaits) struct ServerTests {
    private let scratch: Scratch
    private let store: DirectoryStore
    private let metadata = MemoryMetadata()

    init() throws {
        scratch = try Scratch()
        store = DirectoryStore(root: scratch.url("store"))
    }

    private func start(_ configure: (inout ServerOptions) -> Void = { _ in }) async throws -> TestServer {
        try await TestServer.start(store: store, metadata: metadata, configure)
    }

    private func startWithTokens(_ configure: (inout ServerOptions) -> Void = { _ in }) async throws -> TestServer {
        let path = try scratch.write("one: one-token-0123456789\ntwo: two-token-0123456789\n", to: "tokens")
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        return try await start { options in
            options.tokenFile = path
            configure(&options)
        }
    }

    private func addVideo(state: Video.State = .uploaded, second: Int64 = 0) throws -> Video {
        let time = Timestamp(microseconds: 1_700_000_000_000_000 + second * 1_000_000)
        let id = VideoID.make(at: time)
        try store.put(Data("film".utf8), at: Video.sourceKey(id))
        let video = Video(
            id: id, state: state, originalName: "a\nb\u{1B}.mp4", source: store.location(of: Video.sourceKey(id)),
            size: 4, sha256: Checksum.sha256(Data("film".utf8)), traceID: String(repeating: "0", count: 32),
            uploadedAt: time,
            error: Failure(kind: .transient, message: "Cannot read /secret/place"))
        metadata.put(video)
        return video
    }

    @Test func holdersOfATokenGetTheKeysOfAVideo() async throws {
        let secret = try MasterSecret("0123456789abcdef0123456789abcdef")
        let path = try scratch.write("one: one-token-0123456789\n", to: "tokens")
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        let server = try await TestServer.start(store: store, metadata: metadata, masterSecret: secret) {
            $0.tokenFile = path
        }
        let bearer = "Authorization: Bearer one-token-0123456789"
        let (video, other) = (try addVideo(), try addVideo(second: 1))
        let keys = secret.keys(of: video.id)
        let id = try #require(keys.tracks.first?.keyID)
        let key = try #require(keys[id])
        for form in [id.description, id.uuid] {
            let answer = try await server.curl("-H", bearer, "/v1/videos/\(video.id)/keys/\(form)")
            #expect(answer.status == 200 && answer.body == Data(key.bytes))
            #expect(answer.headers["cache-control"] == "no-store")
        }
        #expect(try await server.curl("/v1/videos/\(video.id)/keys/\(id)").status == 401)
        for wrong in ["\(other.id)/keys/\(id)", "\(video.id)/keys/x", "\(VideoID.make())/keys/\(id)"] {
            #expect(try await server.curl("-H", bearer, "/v1/videos/\(wrong)").status == 404)
        }
        func base64URL(_ bytes: [UInt8]) -> String {
            Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
                .replacing("=", with: "")
        }
        let licence = try await server.curl(
            "-H", bearer, "-d", "{\"kids\":[\"\(base64URL(id.bytes))\"],\"type\":\"temporary\"}",
            "/v1/videos/\(video.id)/keys")
        #expect(licence.status == 200 && licence.text.contains("\"\(base64URL(key.bytes))\""))
        #expect(try await server.curl("-H", bearer, "-d", "{}", "/v1/videos/\(video.id)/keys").status == 400)
        try await server.stop()

        // Without tokens, and without a secret, there are no keys.
        let anonymous = try await TestServer.start(store: store, metadata: metadata, masterSecret: secret)
        #expect(try await anonymous.curl("/v1/videos/\(video.id)/keys/\(id)").status == 403)
        try await anonymous.stop()
        let without = try await startWithTokens()
        #expect(try await without.curl("-H", bearer, "/v1/videos/\(video.id)/keys/\(id)").status == 404)
        try await without.stop()
    }

    @Test func withoutATokenOnlyHealthIsAccessible() async throws {
        let server = try await startWithTokens()
        for path in ["/v1/videos", "/v1/videos/x", "/v1/uploads", "/v1/uploads/tus", "/nothing"] {
            for header in [
                "X: y", "Authorization: Bearer wrong", "Authorization: Basic b25lOm9uZQ==", "Authorization: Bearer",
            ] {
                let answer = try await server.curl("-H", header, path)
                #expect(answer.status == 401)
                #expect(answer.headers["www-authenticate"]?.hasPrefix("Bearer") == true)
                #expect(try answer.code == "unauthorized")
            }
        }
        for path in ["/healthz", "/readyz", "/openapi.json"] { #expect(try await server.curl(path).status == 200) }
        let bearer = "Authorization: bearer one-token-0123456789"
        #expect(try await server.curl("-H", bearer, "/v1/videos").status == 200)
        #expect(try await server.curl("-H", bearer, "/nothing").status == 404)
        try await server.stop()
    }

    @Test func theBodyOfARefusedUploadIsNotRead() async throws {
        let server = try await startWithTokens()
        let connection = try RawConnection(port: server.port)
        try await connection.send("POST /v1/videos HTTP/1.1\r\nHost: a\r\nContent-Length: 900000000\r\n\r\n")
        let answer = try await connection.answer()
        #expect(answer.status == 401)
        #expect(answer.headers["connection"] == "close")
        try await server.stop()
    }

    @Test func anUploadIsAccessibleToItsOwnerOnly() async throws {
        let server = try await startWithTokens()
        let (one, two) = ("Authorization: Bearer one-token-0123456789", "Authorization: Bearer two-token-0123456789")
        let created = try await server.curl(
            "-X", "POST", "-H", one, "-H", "Tus-Resumable: 1.0.0", "-H", "Upload-Length: 10", "/v1/uploads/tus")
        let path = try #require(created.headers["location"])
        let id = try #require(path.split(separator: "/").last)
        let offset = ["-H", "Upload-Offset: 0", "-H", "Content-Type: application/offset+octet-stream", "-d", "12345"]
        for arguments in [
            ["-I", path], ["-X", "PATCH", path] + offset, ["-X", "DELETE", path], ["/v1/uploads/\(id)"],
            ["-X", "DELETE", "/v1/uploads/\(id)"],
        ] {
            let answer = try await server.curl(["-H", two, "-H", "Tus-Resumable: 1.0.0"] + arguments)
            #expect(answer.status == 404, "\(arguments) \(answer)")
        }
        let mine = try await server.curl("-I", "-H", one, "-H", "Tus-Resumable: 1.0.0", path)
        #expect(mine.status == 200)
        #expect(mine.headers["upload-offset"] == "0")
        try await server.stop()
    }

    @Test func aCallerWithTooManyRequestsIsToldToRetryLater() async throws {
        let server = try await startWithTokens { ($0.requestsPerSecond, $0.requestBurst) = (0.001, 2) }
        let (one, two) = ("Authorization: Bearer one-token-0123456789", "Authorization: Bearer two-token-0123456789")
        for _ in 0..<2 { #expect(try await server.curl("-H", one, "/v1/videos").status == 200) }
        let answer = try await server.curl("-H", one, "/v1/videos")
        #expect(answer.status == 429)
        #expect(try #require(answer.headers["retry-after"].flatMap { Int($0) }) > 10)
        #expect(try await server.curl("-H", two, "/v1/videos").status == 200)
        #expect(try await server.curl("/healthz").status == 200)
        try await server.stop()
    }

    @Test(arguments: ["Origin: https://evil.example", "Host: evil.example", "Origin: null"])
    func aServerWithoutTokensRefusesCrossSiteRequests(header: String) async throws {
        let server = try await start()
        let answer = try await server.curl("-X", "DELETE", "-H", header, "/v1/videos/\(VideoID.make())")
        #expect(answer.status == 403)
        let own = try await server.curl("-H", "Origin: \(server.url)", "/v1/videos")
        #expect(own.status == 200)
        try await server.stop()
    }

    @Test func aChangedTokenFileIsReloaded() async throws {
        let server = try await startWithTokens()
        let header = "Authorization: Bearer new-token-0123456789"
        #expect(try await server.curl("-H", header, "/v1/videos").status == 401)
        try scratch.write("new-token-0123456789\n", to: "tokens")
        for _ in 0..<400 {
            if try await server.curl("-H", header, "/v1/videos").status == 200 { break }
        }
        #expect(try await server.curl("-H", header, "/v1/videos").status == 200)
        #expect(try await server.curl("-H", "Authorization: Bearer one-token-0123456789", "/v1/videos").status == 401)
        try await server.stop()
    }

    @Test func listsVideosInPagesNewestFirst() async throws {
        let videos = try (0..<5).map { try addVideo(state: $0 == 2 ? .failed : .uploaded, second: Int64($0)) }
        let server = try await start()
        func ids(_ answer: Answer) throws -> [String] {
            try #require(try answer.json["videos"] as? [[String: Any]]).compactMap { $0["id"] as? String }
        }
        let first = try await server.curl("/v1/videos?limit=2")
        #expect(try ids(first) == [videos[4], videos[3]].map(\.id.rawValue))
        let next = try #require(first.json["next"] as? String)
        #expect(
            try ids(await server.curl("/v1/videos?limit=3&before=\(next)"))
                == videos[0...2].reversed().map(\.id.rawValue))
        #expect(try ids(await server.curl("/v1/videos?state=failed")) == [videos[2].id.rawValue])
        for query in ["state=lost", "limit=0", "limit=201", "limit=x", "before=x"] {
            #expect(try await server.curl("/v1/videos?\(query)").status == 400)
        }
        #expect(!first.text.contains("/secret/place"))
        try await server.stop()
    }

    @Test func aHEADRequestReturnsTheHeadersOfGET() async throws {
        let video = try addVideo()
        let server = try await start()
        for path in ["/v1/videos/\(video.id)", "/v1/videos", "/healthz"] {
            let (get, head) = (try await server.curl(path), try await server.curl("-I", path))
            #expect(head.status == 200)
            #expect(head.body.isEmpty)
            #expect(head.headers["content-length"] == String(get.body.count))
        }
        try await server.stop()
    }

    @Test(arguments: [Video.State.ready, .processing])
    func aDeletedVideoIsDeletingUntilItsBytesAreGone(_ state: Video.State) async throws {
        let video = try addVideo(state: state)
        let server = try await start()
        // A request can be repeated.
        for _ in 0..<2 {
            let answer = try await server.curl("-X", "DELETE", "/v1/videos/\(video.id)")
            #expect(answer.status == 202 && answer.text.contains(#""deleting""#), "\(answer)")
        }
        let shown = try await server.curl("/v1/videos/\(video.id)")
        #expect(shown.status == 200 && shown.text.contains(#""deleting""#))
        #expect(try await server.curl("/v1/videos?state=deleting").text.contains(video.id.rawValue))
        #expect(try store.size(of: Video.sourceKey(video.id)) == 4, "another process removes it")
        let deletion = try #require(try await metadata.dueDeletions(limit: 10).first)
        let removal = VideoRemoval(metadata: metadata, raw: store, output: MemoryStore())
        #expect(try await removal.advance(deletion).videos == 1)
        #expect(try store.size(of: Video.sourceKey(video.id)) == nil)
        #expect(try await server.curl("-X", "DELETE", "/v1/videos/\(video.id)").status == 404)
        #expect(try await server.curl("/v1/videos/\(video.id)").status == 404)
        try await server.stop()
    }

    @Test func invalidRequestsGetTheRightStatus() async throws {
        let server = try await start()
        let patch = try await server.curl("-X", "PATCH", "/v1/videos")
        #expect(patch.status == 405)
        #expect(patch.headers["allow"] == "GET, HEAD, OPTIONS, POST, PUT")
        #expect(try await server.curl("-X", "TRACE", "/healthz").status == 405)
        #expect(try await server.curl("/v1/videos/not-an-id").status == 404)
        #expect(try await server.curl("/v1/videos/..%2f..").status == 404)
        #expect(try await server.curl("/").status == 404)
        #expect(try await server.curl("/v1/videos/").status == 200)
        #expect(try await server.curl("-X", "POST", "/v1/videos").status == 411)
        #expect(
            try await server.curl("-d", "x", "-H", "Content-Type: multipart/mixed; boundary=B", "/v1/videos").status
                == 415)
        #expect(try await server.curl("-d", "{}", "/v1/uploads").status == 415)
        let json = ["-H", "Content-Type: application/json", "/v1/uploads", "-d"]
        for body in [
            "{", "[]", "{}", "{\"name\":\"a\",\"size\":0}", "{\"name\":\"a\",\"size\":\"x\"}",
            "{\"name\":\"a\",\"size\":1,\"sha256\":\"x\"}",
        ] {
            let answer = try await server.curl(json + [body])
            #expect(answer.status == 400, "\(body) \(answer)")
        }
        #expect(try await server.curl(json + ["{\"name\":\"a\",\"size\":\(Int64.max)}"]).status == 413)
        let direct = try await server.curl(json + ["{\"name\":\"a\",\"size\":5}"])
        #expect(direct.status == 501)
        #expect(try direct.code == "no_direct_uploads")
        try await server.stop()
    }

    @Test func headersBeyondTheLimitAreRefused() async throws {
        let server = try await start()
        let connection = try RawConnection(port: server.port)
        try await connection.send(
            "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: \(String(repeating: "x", count: 100_000))\r\n\r\n")
        #expect(try await connection.answer().status == 400)
        #expect(try await server.curl("/healthz").status == 200)
        try await server.stop()
    }

    @Test func anIdleConnectionIsClosed() async throws {
        let server = try await start { $0.idleSeconds = 10 }
        let connection = try RawConnection(port: server.port)
        try await connection.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        // The reply ends when the server closes the connection.
        #expect(try await connection.answer().status == 200)
        let silent = try RawConnection(port: server.port)
        try await silent.send("GET /healthz HTTP/1.1\r\nHo")
        await #expect(throws: (any Error).self) { try await silent.answer() }
        try await server.stop()
    }

    @Test func anUnavailableDatabaseIsReportedWithoutItsAddress() async throws {
        let server = try await start()
        let film = try await Clip(seconds: 1).make()
        metadata.setAway(true)
        for arguments in [
            ["/v1/videos"], ["/v1/videos/\(VideoID.make())"], ["-F", "file=@\(film.path)", "/v1/videos"],
        ] {
            let answer = try await server.curl(arguments)
            #expect(answer.status == 503)
            #expect(answer.headers["retry-after"] != nil)
            #expect(!answer.text.contains("mysql"))
        }
        let ready = try await server.curl("/readyz")
        #expect(ready.status == 503)
        #expect(try ready.json["checks"] as? [String: String] == ["database": "failed", "store": "ok"])
        #expect(!ready.text.contains("mysql"))
        #expect(try await server.curl("/healthz").status == 200)
        try await server.stop()
    }

    @Test func anAddressInUseIsAConfigurationError() async throws {
        let server = try await start()
        let error = await #expect(throws: ClairoError.self) {
            _ = try await start { $0.port = server.port }
        }
        #expect(error?.exitCode == .configuration)
        try await server.stop()
    }

    // MARK: Browsers and proxies

    private static let origin = "Origin: https://app.example"
    private static let paths = [
        "/v1/videos", "/v1/videos/x", "/v1/uploads", "/v1/uploads/x", "/v1/uploads/x/parts", "/v1/uploads/x/complete",
        "/v1/videos/x/keys", "/v1/videos/x/keys/y", "/v1/uploads/tus", "/v1/uploads/tus/", "/v1/uploads/tus/x",
        "/healthz", "/openapi.json",
    ]

    @Test func pagesOfAnAllowedOriginMayUseEveryRoute() async throws {
        let origins = try AllowedOrigins("https://app.example")
        let server = try await startWithTokens { $0.allowedOrigins = origins }
        for path in Self.paths {
            let preflight = try await server.curl(
                "-X", "OPTIONS", "-H", Self.origin, "-H", "Access-Control-Request-Method: PATCH", "-H",
                "Access-Control-Request-Headers: authorization,tus-resumable", path)
            #expect(preflight.status == 204, "\(path) \(preflight)")
            #expect(preflight.headers["access-control-allow-origin"] == "https://app.example")
            #expect(preflight.headers["access-control-allow-methods"]?.contains("PATCH") == true)
            #expect(preflight.headers["access-control-allow-headers"]?.contains("Authorization") == true)
            let other = try await server.curl(
                "-X", "OPTIONS", "-H", "Origin: https://evil.example", "-H", "Access-Control-Request-Method: POST", path
            )
            #expect(other.headers["access-control-allow-origin"] == nil)
            #expect(other.headers["vary"] == "Origin")
        }
        // Errors too, so that scripts see them.
        for (status, arguments) in [
            (401, ["/v1/videos"]), (401, ["/nothing"]),
            (404, ["-H", "Authorization: Bearer one-token-0123456789", "/v1/videos/x"]),
            (412, ["-X", "POST", "-H", "Authorization: Bearer one-token-0123456789", "/v1/uploads/tus"]),
        ] {
            let answer = try await server.curl(["-H", Self.origin] + arguments)
            #expect(answer.status == status)
            #expect(answer.headers["access-control-allow-origin"] == "https://app.example")
            #expect(answer.headers["access-control-expose-headers"]?.contains("Upload-Offset") == true)
        }
        try await server.stop()
    }

    @Test func withoutAllowedOriginsNoOtherOriginMayUseTheServer() async throws {
        let server = try await startWithTokens()
        for path in Self.paths {
            let preflight = try await server.curl(
                "-X", "OPTIONS", "-H", Self.origin, "-H", "Access-Control-Request-Method: POST", path)
            #expect(preflight.status == 204)
            #expect(preflight.headers["allow"]?.contains("OPTIONS") == true)
            #expect(!preflight.head.lowercased().contains("access-control"))
        }
        try await server.stop()
    }

    @Test func anAllowedOriginNeedsNoTokenIfThereAreNone() async throws {
        let origins = try AllowedOrigins("https://app.example")
        let server = try await start { $0.allowedOrigins = origins }
        #expect(try await server.curl("-H", Self.origin, "/v1/videos").status == 200)
        #expect(try await server.curl("-H", "Origin: https://evil.example", "/v1/videos").status == 403)
        // A page that gave its name the address of this machine is still refused.
        #expect(try await server.curl("-H", Self.origin, "-H", "Host: evil.example", "/v1/videos").status == 403)
        try await server.stop()
    }

    @Test func newResourcesAreNamedSoThatTheirClientFindsThem() async throws {
        let create = ["-X", "POST", "-H", "Tus-Resumable: 1.0.0", "-H", "Upload-Length: 10"]
        var server = try await start()
        let direct = try await server.curl(create + ["/v1/uploads/tus"])
        #expect(direct.headers["location"]?.hasPrefix("/v1/uploads/tus/") == true)
        for (path, prefix) in [("/v1/uploads/tus", "tus/"), ("/v1/uploads/tus/", "")] {
            for way in [["-H", "X-Forwarded-Prefix: /media"], ["--http1.0"]] {
                let answer = try await server.curl(create + way + [path])
                let name = try #require(answer.headers["location"])
                #expect(name.hasPrefix(prefix) && UploadID(String(name.dropFirst(prefix.count))) != nil, "\(name)")
            }
        }
        try await server.stop()
        let url = try PublicURL("https://example.org/media")
        server = try await start { $0.publicURL = url }
        let named = try await server.curl(create + ["-H", "X-Forwarded-Host: evil.example", "/v1/uploads/tus"])
        #expect(named.headers["location"]?.hasPrefix("https://example.org/media/v1/uploads/tus/") == true)
        // Some proxies pass the client's Host on. It is the server's own site.
        let ways = ["-H", "Host: example.org", "-H", "Origin: https://example.org"]
        #expect(try await server.curl(ways + ["/v1/videos"]).status == 200)
        try await server.stop()
    }

    @Test(arguments: [
        ("GET /healthz HTTP/1.1\r\n", 400), ("GET /healthz HTTP/1.1\r\nHost: a\r\nHost: a\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: a b\r\n", 400), ("GET /v1/videos HTTP/1.1\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: a\r\n", 200), ("GET /healthz HTTP/1.0\r\n", 200),
        ("GET /healthz HTTP/1.1\r\nClairo-HTTP-Version: 1.0\r\n", 400),
        ("GET /healthz HTTP/1.0\r\nHost: a\r\nHost: b\r\n", 400),
    ])
    func aRequestMustNameOneHost(head: String, status: Int) async throws {
        let server = try await start()
        let connection = try RawConnection(port: server.port)
        try await connection.send("\(head)Connection: close\r\n\r\n")
        #expect(try await connection.answer().status == status)
        try await server.stop()
    }

    /// Some clients of HTTP/1.0 read until the connection ends.
    @Test func aConnectionOfHTTP10EndsWithTheResponse() async throws {
        let server = try await start()
        let connection = try RawConnection(port: server.port)
        try await connection.send("GET /healthz HTTP/1.0\r\n\r\n")
        #expect(try await connection.answer().status == 200)
        try await server.stop()
    }

    @Test func healthChecksAreAnsweredWhileAllRequestThreadsAreBusy() async throws {
        let server = try await start()
        let gate = Gate()
        let count = RequestThreads.shared.count
        let busy = (0..<count).map { _ in Task(executorPreference: RequestThreads.shared) { gate.pass() } }
        defer { gate.open() }
        try await eventually { gate.waiting == count }
        #expect(try await server.curl("/healthz").status == 200)
        #expect(try await server.curl("/readyz").status == 200)
        gate.open()
        for task in busy { await task.value }
        try await server.stop()
    }
}

/// Blocks threads until it is opened.
///
/// `@unchecked Sendable`: all state is guarded by `condition`.
private final class Gate: @unchecked Sendable {
    private let condition = NSCondition()
    private var isOpen = false
    private var count = 0

    var waiting: Int { locked { count } }

    func open() {
        locked {
            isOpen = true
            condition.broadcast()
        }
    }

    func pass() {
        locked {
            count += 1
            while !isOpen { condition.wait() }
        }
    }

    private func locked<R>(_ body: () -> R) -> R {
        condition.lock()
        defer { condition.unlock() }
        return body()
    }
}
