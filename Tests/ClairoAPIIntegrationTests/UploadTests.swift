internal import ClairoCore
internal import ClairoStorage
internal import ClairoTestSupport
internal import Foundation
internal import Testing

@testable internal import ClairoAPI

/// `POST /v1/videos` with curl and hostile clients.
@Suite(.mostlyWaits) struct UploadTests {
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

    private func storedFiles() -> [String] { Array(files(below: scratch.path("store")).keys).sorted() }

    private func checkNothingIsLeft() async throws {
        try await eventually { metadata.uploads.isEmpty && storedFiles().isEmpty }
        #expect(metadata.videos.isEmpty)
        #expect(metadata.messages.isEmpty)
    }

    @Test func aFormSentByCurlBecomesAVideo() async throws {
        let server = try await start()
        let film = try await paddedClip(20 << 20, in: scratch, name: "my film.mp4")
        let answer = try await server.curl(
            "-F", "title=Früher Titel", "-F", "file=@\(film.path)", "-F", "priority=high", "-F",
            "tenant=acme-1", "/v1/videos")
        #expect(answer.status == 201, "\(answer)")
        let json = try answer.json
        let id = try #require((json["id"] as? String).flatMap { VideoID($0) })
        #expect(answer.headers["location"] == "/v1/videos/\(id)")
        #expect(json["name"] as? String == "my film.mp4")
        #expect(json["title"] as? String == "Früher Titel")
        #expect(json["priority"] as? String == "high")
        #expect(json["tenant"] as? String == "acme-1")
        #expect(json["state"] as? String == "uploaded")
        let bytes = try Data(contentsOf: film)
        #expect(json["sha256"] as? String == Checksum.sha256(bytes))
        #expect(try store.get(Video.sourceKey(id)) == bytes)
        #expect(storedFiles() == ["videos/\(id)/source"])
        #expect(metadata.uploads.isEmpty)
        #expect(metadata.messages.map(\.key) == [id.rawValue])
        let shown = try await server.curl("/v1/videos/\(id)")
        #expect(shown.status == 200)
        #expect(try shown.json["jobs"] as? [String] == [])
        for secret in [scratch.path, "source\"", "bucket"] { #expect(!shown.text.contains(secret)) }
        try await server.stop()
    }

    /// In MP4 files by ffmpeg, the index follows the media.
    static let noise = Clip(
        width: 1280, height: 720, seconds: 13, filter: "noise=alls=30:allf=t",
        options: ["-preset", "ultrafast", "-b:v", "8M", "-maxrate", "8M", "-bufsize", "1M"])

    @Test(arguments: [
        (Clip(seconds: 1), 20 << 20, 0), (noise, 0, 0), (noise, 1 << 20, 0), (noise, 20 << 20, 1),
    ])
    func probingReadsFromTheStoreOnlyWhatIsNoLongerInMemory(clip: Clip, padding: Int, opens: Int) async throws {
        let store = MemoryStore()
        let server = try await TestServer.start(store: store, metadata: metadata)
        let film = try await paddedClip(padding, in: scratch, of: clip)
        let answer = try await server.curl("-F", "file=@\(film.path)", "/v1/videos")
        #expect(answer.status == 201, "\(answer)")
        let video = try #require(metadata.videos.first)
        let bytes = try Data(contentsOf: film)
        if clip == Self.noise { #expect(bytes.count - padding > 11 << 20, "the media fits into two parts") }
        #expect(try store.get(Video.sourceKey(video.id)) == bytes)
        #expect(video.media?.video.first?.frameCount == (clip == Self.noise ? 325 : 25))
        #expect(store.openCount == opens)
        try await server.stop()
    }

    @Test func aRawBodyBecomesAVideoWithItsFileName() async throws {
        let server = try await start()
        let film = try await paddedClip(9 << 20, in: scratch, name: "Füße 足.mp4")
        let put = try await server.curl("-T", film.path, "/v1/videos/")
        #expect(put.status == 201, "\(put)")
        #expect(try put.json["name"] as? String == "Füße 足.mp4")
        let post = try await server.curl(
            "--data-binary", "@\(film.path)", "-H", "X-File-Name: a%22b.mp4", "-H", "Content-Type: video/mp4",
            "/v1/videos?title=T&profile=web&tenant=acme")
        #expect(try post.json["name"] as? String == "a\"b.mp4")
        #expect(try post.json["profile"] as? String == "web")
        #expect(try post.json["tenant"] as? String == "acme")
        let chunked = try await server.curl(
            "--data-binary", "@\(film.path)", "-H", "Transfer-Encoding: chunked", "/v1/videos?name=c.mp4")
        #expect(try chunked.json["name"] as? String == "c.mp4")
        #expect(try chunked.json["size"] as? Int == Data(contentsOf: film).count)
        try await server.stop()
    }

    @Test(arguments: ["a b.mp4", "quote\"d.mp4", "%2e%2e%2fpasswd", "../../up.mp4", String(repeating: "x", count: 300)])
    func aFileNameIsNeverUsedAsAKey(name: String) async throws {
        let server = try await start()
        let film = try await Clip(seconds: 1).make()
        let escaped = name.replacing("\"", with: "\\\"")
        let answer = try await server.curl("-F", "file=@\(film.path);filename=\"\(escaped)\"", "/v1/videos")
        #expect(answer.status == 201, "\(answer)")
        #expect(try answer.json["name"] as? String == name.split(separator: "/").last.map(String.init))
        #expect(storedFiles() == metadata.videos.map { "videos/\($0.id)/source" })
        try await server.stop()
    }

    @Test func refusesAFileThatIsNotAVideoAndSaysWhyAndLeavesNothing() async throws {
        let server = try await start()
        let text = try scratch.write("hello\n", to: "notes.txt")
        for arguments in [["-F", "file=@\(text)"], ["--data-binary", "@\(text)"]] {
            let answer = try await server.curl(arguments + ["/v1/videos"])
            #expect(answer.status == 422)
            #expect(try answer.code == "bad_media")
            #expect(!answer.text.contains(scratch.path))
            try await checkNothingIsLeft()
        }
        try await server.stop()
    }

    @Test(arguments: [
        ("--B\r\nContent-Disposition: form-data; name=title\r\n\r\nx\r\n--B--\r\n", "no file"),
        ("--B\r\nContent-Disposition: form-data; name=file\r\n\r\nfilm", "no end"),
        (
            "--B\r\nContent-Disposition: form-data; name=file\r\n\r\na\r\n--B\r\nContent-Disposition: form-data; name=file\r\n\r\nb\r\n--B--",
            "two files"
        ),
        ("--B\r\nContent-Type: text/plain\r\n\r\nx\r\n--B--\r\n", "no name"), ("", "nothing"), ("film", "no boundary"),
        (
            "--B\r\nContent-Disposition: form-data; name=file\r\n\r\na\r\n--B\r\nContent-Disposition: form-data; name=priority\r\n\r\nurgent\r\n--B--",
            "priority"
        ),
        (
            "--B\r\nContent-Disposition: form-data; name=file\r\n\r\na\r\n--B\r\nContent-Disposition: form-data; name=tenant\r\n\r\na b\r\n--B--",
            "tenant"
        ),
    ])
    func aMalformedFormIsRefusedAndLeavesNothing(body: String, what: String) async throws {
        let server = try await start()
        let file = try scratch.write(body, to: "body")
        let answer = try await server.curl(
            "--data-binary", "@\(file)", "-H", "Content-Type: multipart/form-data; boundary=B", "/v1/videos")
        #expect(answer.status == 400, "\(what): \(answer)")
        #expect(try answer.code == "bad_request")
        try await checkNothingIsLeft()
        try await server.stop()
    }

    @Test func anUploadOverTheLimitIsRefusedBeforeItsBodyIsSent() async throws {
        let server = try await start { $0.maxUploadSize = 100_000 }
        let connection = try RawConnection(port: server.port)
        try await connection.send("POST /v1/videos HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n")
        // No byte of the body was sent, and the connection is closed.
        let answer = try await connection.answer()
        #expect(answer.status == 413)
        #expect(answer.headers["connection"] == "close")
        let expecting = try RawConnection(port: server.port)
        try await expecting.send(
            "POST /v1/videos HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000000\r\nExpect: 100-continue\r\n\r\n")
        let refused = try await expecting.answer()
        #expect(refused.status == 413)
        #expect(refused.headers["connection"] == "close")
        try await checkNothingIsLeft()
        try await server.stop()
    }

    /// The largest number that a length can have, and larger ones.
    static let lengths = ["9223372036854775807", "9223372036854775808", "99999999999999999999"]

    @Test(arguments: lengths) func anOverflowingLengthIsRefused(length: String) async throws {
        let server = try await start { $0.maxUploadSize = ServerOptions.largestUploadSize }
        let created = try await server.curl(
            "-X", "POST", "-H", "Tus-Resumable: 1.0.0", "-H", "Upload-Length: 100", "/v1/uploads/tus")
        let upload = try #require(created.headers["location"])
        let deferred = try await server.curl(
            "-X", "POST", "-H", "Tus-Resumable: 1.0.0", "-H", "Upload-Defer-Length: 1", "/v1/uploads/tus")
        let open = try #require(deferred.headers["location"])
        for path in [upload, open] {
            let begun = try await server.curl(
                "-X", "PATCH", "-H", "Tus-Resumable: 1.0.0", "-H", "Upload-Offset: 0", "-H",
                "Content-Type: application/offset+octet-stream", "-d", "12345", path)
            #expect(begun.status == 204, "\(begun)")
        }
        let tus = "Tus-Resumable: 1.0.0\r\nUpload-Offset: 5\r\nContent-Type: application/offset+octet-stream\r\n"
        for head in [
            "POST /v1/videos HTTP/1.1\r\n",
            "POST /v1/videos HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=B\r\n",
            "POST /v1/uploads HTTP/1.1\r\nContent-Type: application/json\r\n", "PATCH \(upload) HTTP/1.1\r\n\(tus)",
            "PATCH \(open) HTTP/1.1\r\n\(tus)",
        ] {
            let connection = try RawConnection(port: server.port)
            try await connection.send("\(head)Host: localhost\r\nContent-Length: \(length)\r\n\r\n")
            let answer = try await connection.answer()
            #expect([400, 413].contains(answer.status), "\(head)\(answer)")
            #expect(answer.headers["connection"] == "close", "\(head)\(answer)")
        }
        #expect(try await server.curl("/healthz").status == 200)
        try await server.stop()
    }

    @Test func anUploadOfUnknownLengthIsRefusedOnceItExceedsTheLimit() async throws {
        let server = try await start { $0.maxUploadSize = 9 << 20 }
        let film = try await paddedClip(10 << 20, in: scratch)
        for arguments in [
            ["--data-binary", "@\(film.path)", "-H", "Transfer-Encoding: chunked"], ["-F", "file=@\(film.path)"],
            ["-F", "file=@\(film.path)", "-H", "Transfer-Encoding: chunked"],
        ] {
            let answer = try await server.curl(arguments + ["/v1/videos"])
            #expect(answer.status == 413, "\(answer)")
            try await checkNothingIsLeft()
        }
        try await server.stop()
    }

    @Test func aSenderThatDisconnectsLeavesNothing() async throws {
        let server = try await start()
        for head in [
            "Content-Length: 30000000\r\n\r\n",
            "Content-Length: 30000000\r\nContent-Type: multipart/form-data; boundary=B\r\n\r\n--B\r\nContent-Disposition: form-data; name=file\r\n\r\n",
            "Transfer-Encoding: chunked\r\n\r\n1312D00\r\n",
        ] {
            let connection = try RawConnection(port: server.port)
            try await connection.send("POST /v1/videos HTTP/1.1\r\nHost: localhost\r\n\(head)")
            try await connection.send(Data(repeating: 65, count: 9 << 20))
            try await eventually { metadata.uploads.contains { $0.multipart != nil } }
            connection.cut()
            try await checkNothingIsLeft()
            #expect(try store.openUploads(prefix: "").isEmpty)
        }
        try await server.stop()
    }

    @Test func aSenderThatIsTooSlowIsDisconnected() async throws {
        let server = try await start {
            ($0.minimumRate, $0.minimumRateSeconds) = (MinimumRate(constant: 1_000_000), 0.5)
        }
        let connection = try RawConnection(port: server.port)
        try await connection.send(
            "POST /v1/videos HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nfirst bytes")
        let answer = try await connection.answer()
        #expect(answer.status == 408)
        #expect(try answer.code == "too_slow")
        try await checkNothingIsLeft()
        try await server.stop()
    }

    @Test func aShutdownFinishesRunningUploadsAndAcceptsNoNewOnes() async throws {
        let server = try await start()
        let film = try Data(contentsOf: try await Clip(seconds: 1).make())
        let connection = try RawConnection(port: server.port)
        try await connection.send(
            "POST /v1/videos HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(film.count)\r\n\r\n")
        try await connection.send(film.prefix(1000))
        try await eventually { !metadata.uploads.isEmpty }
        async let stopped: Void = server.stop()
        try await connection.send(film.dropFirst(1000))
        #expect(try await connection.answer().status == 201)
        try await stopped
        #expect(throws: (any Error).self) { try RawConnection(port: server.port) }
    }

    @Test func aShutdownAbortsUploadsAfterTheGracePeriodAndLeavesNothing() async throws {
        let server = try await start { $0.shutdownSeconds = 0.2 }
        let connection = try RawConnection(port: server.port)
        try await connection.send("POST /v1/videos HTTP/1.1\r\nHost: localhost\r\nContent-Length: 30000000\r\n\r\n")
        try await connection.send(Data(repeating: 65, count: 9 << 20))
        try await eventually { metadata.uploads.contains { $0.multipart != nil } }
        try await server.stop()
        try await checkNothingIsLeft()
    }

    @Test func uploadsOverTheConcurrencyLimitAreToldToRetryLater() async throws {
        let server = try await start { ($0.maxUploads, $0.slotPatienceSeconds) = (1, 0.2) }
        let film = try await Clip(seconds: 1).make()
        let first = try RawConnection(port: server.port)
        try await first.send("POST /v1/videos HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nbytes")
        try await eventually { !metadata.uploads.isEmpty }
        let second = try await server.curl("-F", "file=@\(film.path)", "/v1/videos")
        #expect(second.status == 503)
        #expect(second.headers["retry-after"] != nil)
        first.cut()
        try await checkNothingIsLeft()
        #expect(try await server.curl("-F", "file=@\(film.path)", "/v1/videos").status == 201)
        try await server.stop()
    }

    @Test func aSilentSenderKeepsNobodyFromUploading() async throws {
        let server = try await start {
            ($0.maxUploads, $0.slotPatienceSeconds, $0.pauseSeconds) = (1, 600, 0.5)
        }
        let film = try await Clip(seconds: 1).make()
        let bytes = try Data(contentsOf: film)
        let silent = try RawConnection(port: server.port)
        try await silent.send(
            "POST /v1/videos HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: \(bytes.count)\r\n\r\n"
        )
        try await silent.send(bytes.prefix(1000))
        try await eventually { !metadata.uploads.isEmpty }
        // It gets the only place as soon as the first sender counts as pausing.
        #expect(try await server.curl("-F", "file=@\(film.path)", "/v1/videos").status == 201)
        try await silent.send(bytes.dropFirst(1000))
        #expect(try await silent.answer().status == 201)
        #expect(Set(metadata.videos.map(\.sha256)) == [Checksum.sha256(bytes)])
        #expect(metadata.videos.count == 2)
        try await server.stop()
    }

    @Test func aPlusInTheQueryIsASpace() async throws {
        let server = try await start()
        let film = try await Clip(seconds: 1).make()
        let answer = try await server.curl(
            "--data-binary", "@\(film.path)", "/v1/videos?name=my+film%2B.mp4&title=My+Summer")
        #expect(try answer.json["name"] as? String == "my film+.mp4")
        #expect(try answer.json["title"] as? String == "My Summer")
        try await server.stop()
    }

    @Test func aFormInChunksOfOneByteIsRefusedLikeAnyOther() async throws {
        let server = try await start()
        let connection = try RawConnection(port: server.port)
        let form = String(
            repeating:
                "--B\r\nContent-Disposition: form-data; name=a\r\nX: \(String(repeating: "x", count: 16_000))\r\n\r\n\r\n",
            count: 8)
        try await connection.send(
            "POST /v1/videos HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\nContent-Type: multipart/form-data; boundary=B\r\n\r\n"
        )
        try await connection.send(form.utf8.map { "1\r\n\(Character(Unicode.Scalar($0)))\r\n" }.joined() + "0\r\n\r\n")
        #expect(try await connection.answer().status == 400)
        try await checkNothingIsLeft()
        try await server.stop()
    }
}
