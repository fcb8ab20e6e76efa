internal import ClairoCore
internal import ClairoPipeline
internal import ClairoStorage
internal import ClairoTestSupport
internal import Foundation
internal import OpenSSL
internal import Testing

@testable internal import ClairoAPI

@Suite(.mostlyWaits) struct TusTests {
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

    private let tus = ["-H", "Tus-Resumable: 1.0.0"]

    private func create(_ server: TestServer, _ arguments: String...) async throws -> String {
        let answer = try await server.curl(["-X", "POST"] + tus + arguments + ["/v1/uploads/tus"])
        try #require(answer.status == 201, "\(answer)")
        return try #require(answer.headers["location"])
    }

    private func patch(
        _ server: TestServer, _ path: String, _ bytes: Data, at offset: Int, _ arguments: String...
    ) async throws -> Answer {
        let file = scratch.path("piece-\(UUID().uuidString)")
        try bytes.write(to: URL(fileURLWithPath: file))
        return try await server.curl(
            ["-X", "PATCH"] + tus + [
                "-H", "Upload-Offset: \(offset)", "-H", "Content-Type: application/offset+octet-stream",
                "--data-binary", "@\(file)",
            ] + arguments + [path])
    }

    private func offset(_ server: TestServer, _ path: String) async throws -> Int? {
        let answer = try await server.curl(["-I"] + tus + [path])
        return answer.headers["upload-offset"].flatMap { Int($0) }
    }

    @Test func reportsItsSupportedFeatures() async throws {
        let server = try await start()
        let answer = try await server.curl("-X", "OPTIONS", "/v1/uploads/tus")
        #expect(answer.status == 204)
        #expect(answer.headers["tus-version"] == "1.0.0")
        #expect(answer.headers["tus-extension"]?.contains("creation-with-upload") == true)
        #expect(answer.headers["tus-checksum-algorithm"] == "sha1,md5,sha256")
        let old = try await server.curl("-I", "-H", "Tus-Resumable: 0.2.2", "/v1/uploads/tus/\(UploadID.make())")
        #expect(old.status == 412)
        #expect(old.headers["tus-version"] == "1.0.0")
        try await server.stop()
    }

    @Test func piecesOfAnySizeBecomeOneVideoAcrossRestarts() async throws {
        let film = try Data(contentsOf: try await paddedClip(20 << 20, in: scratch))
        var server = try await start()
        let name = Data("Füße.mp4".utf8).base64EncodedString()
        let path = try await create(
            server, "-H", "Upload-Length: \(film.count)", "-H",
            "Upload-Metadata: filename \(name),tenant YWNtZQ==,empty")
        var at = 0
        for size in [1, 1000, 8 << 20, (8 << 20) - 1001, 5 << 20, film.count] {
            let end = min(film.count, at + size)
            let answer = try await patch(server, path, film[at..<end], at: at)
            #expect(answer.status == 204, "\(answer)")
            #expect(answer.headers["upload-offset"] == String(end))
            at = end
            if at < film.count {
                #expect(answer.headers["clairo-video-id"] == nil)
                try await server.stop()
                server = try await start()
                #expect(try await offset(server, path) == at)
            }
        }
        let video = try #require(metadata.videos.first)
        #expect(video.originalName == "Füße.mp4")
        #expect(video.tenant == "acme")
        #expect(video.sha256 == Checksum.sha256(film))
        #expect(try store.get(Video.sourceKey(video.id)) == film)
        #expect(try store.list(prefix: "") == [Video.sourceKey(video.id)])
        let id = try #require(path.split(separator: "/").last)
        let shown = try await server.curl("/v1/uploads/\(id)")
        #expect(try shown.json["state"] as? String == "complete")
        #expect(try shown.json["videoID"] as? String == video.id.rawValue)
        try await server.stop()
    }

    @Test func theLengthMayBeDeferred() async throws {
        let film = try Data(contentsOf: try await Clip(seconds: 1).make())
        let server = try await start()
        let path = try await create(server, "-H", "Upload-Defer-Length: 1")
        #expect(try await patch(server, path, film.prefix(100), at: 0).status == 204)
        let head = try await server.curl(["-I"] + tus + [path])
        #expect(head.headers["upload-defer-length"] == "1")
        let last = try await patch(server, path, film.dropFirst(100), at: 100, "-H", "Upload-Length: \(film.count)")
        #expect(last.status == 204, "\(last)")
        #expect(last.headers["clairo-video-id"] == metadata.videos.first?.id.rawValue)
        try await server.stop()
    }

    @Test func theCreationMayCarryTheFirstBytes() async throws {
        let film = try await Clip(seconds: 1).make()
        let size = try Data(contentsOf: film).count
        let server = try await start()
        let answer = try await server.curl(
            tus + [
                "-H", "Upload-Length: \(size)", "-H", "Content-Type: application/offset+octet-stream", "--data-binary",
                "@\(film.path)", "/v1/uploads/tus",
            ])
        #expect(answer.status == 201, "\(answer)")
        #expect(answer.headers["upload-offset"] == String(size))
        #expect(answer.headers["clairo-video-id"] == metadata.videos.first?.id.rawValue)
        try await server.stop()
    }

    @Test func bytesReceivedBeforeALostConnectionAreKept() async throws {
        let film = try Data(contentsOf: try await paddedClip(20 << 20, in: scratch))
        let server = try await start()
        let path = try await create(server, "-H", "Upload-Length: \(film.count)")
        let connection = try RawConnection(port: server.port)
        try await connection.send(
            "PATCH \(path) HTTP/1.1\r\nHost: localhost\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\nContent-Length: \(film.count)\r\n\r\n"
        )
        try await connection.send(film.prefix(9_000_000))
        connection.cut()
        try await eventually { metadata.uploads.first?.offset ?? 0 > 0 }
        let at = try #require(try await offset(server, path))
        #expect(at > 8 << 20 && at <= 9_000_000)
        let answer = try await patch(server, path, film.dropFirst(at), at: at)
        #expect(answer.status == 204, "\(answer)")
        #expect(metadata.videos.first?.sha256 == Checksum.sha256(film))
        try await server.stop()
    }

    /// Sends the beginning of a PATCH request with the rest of the film.
    private func startPatch(
        _ server: TestServer, _ path: String, _ film: Data, at offset: Int, sending count: Int
    ) async throws -> RawConnection {
        let version = metadata.uploads.first?.version
        let connection = try RawConnection(port: server.port)
        try await connection.send(
            "PATCH \(path) HTTP/1.1\r\nHost: localhost\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: \(offset)\r\nContent-Type: application/offset+octet-stream\r\nConnection: close\r\nContent-Length: \(film.count - offset)\r\n\r\n"
        )
        try await eventually { metadata.uploads.first?.version != version }
        try await connection.send(film.dropFirst(offset).prefix(count))
        return connection
    }

    /// A phone that changes its network: its connections die, and nobody tells the server.
    @Test func whatASilentConnectionHasSentCountsWhenTheClientAsks() async throws {
        let film = try Data(contentsOf: try await paddedClip(25 << 20, in: scratch))
        let server = try await start()
        let path = try await create(server, "-H", "Upload-Length: \(film.count)")
        var dead: [RawConnection] = []
        var at = 0
        while at < film.count, dead.count < 10 {
            dead.append(try await startPatch(server, path, film, at: at, sending: 9_000_000))
            let next = try #require(try await offset(server, path))
            #expect(next > at && next <= min(film.count, at + 9_000_000), "\(at) \(next)")
            at = next
        }
        #expect(at == film.count)
        #expect(metadata.videos.map(\.sha256) == [Checksum.sha256(film)])
        #expect(try await dead[0].answer().status == 409)
        try await server.stop()
    }

    @Test func aRequestThatIsTakenOverKeepsItsBytes() async throws {
        let film = try Data(contentsOf: try await Clip(seconds: 1).make())
        let server = try await start { $0.pauseSeconds = 0.5 }
        let path = try await create(server, "-H", "Upload-Length: \(film.count)")
        let first = try await startPatch(server, path, film, at: 0, sending: 1000)
        // It has paused, and still appends.
        try await eventually { metadata.uploads.first?.offset == 1000 }
        let second = try await patch(server, path, film, at: 0)
        #expect(second.status == 409)
        #expect(second.headers["upload-offset"] == "1000")
        let ended = try await first.answer()
        #expect(ended.status == 409)
        #expect(try ended.code == "superseded")
        #expect(ended.headers["upload-offset"] == "1000")
        let at = 1000
        #expect(try await patch(server, path, film.dropFirst(at), at: at).status == 204)
        #expect(metadata.videos.map(\.sha256) == [Checksum.sha256(film)])
        #expect(metadata.messages.count == 1)
        try await server.stop()
    }

    @Test func anUploadIsTerminatedWhileARequestAppendsToIt() async throws {
        let server = try await start()
        let path = try await create(server, "-H", "Upload-Length: 20000000")
        let film = Data(repeating: 1, count: 20_000_000)
        let silent = try await startPatch(server, path, film, at: 0, sending: 9_000_000)
        #expect(try await server.curl(["-X", "DELETE"] + tus + [path]).status == 204)
        #expect(try await silent.answer().status == 409)
        #expect(try store.list(prefix: "").isEmpty)
        #expect(try store.openUploads(prefix: "").isEmpty)
        #expect(metadata.uploads.isEmpty)
        try await server.stop()
    }

    /// Two servers on one database: the version of the row decides, and what a pause has committed counts.
    @Test func anotherServerContinuesWhereASilentSenderPaused() async throws {
        let film = try Data(contentsOf: try await paddedClip(10 << 20, in: scratch))
        let (one, two) = (try await start { $0.pauseSeconds = 0.5 }, try await start())
        let path = try await create(one, "-H", "Upload-Length: \(film.count)")
        let silent = try await startPatch(one, path, film, at: 0, sending: 9_000_000)
        try await eventually { metadata.uploads.first?.offset == 9_000_000 }
        #expect(try await offset(two, path) == 9_000_000)
        #expect(try await patch(two, path, film.dropFirst(9_000_000), at: 9_000_000).status == 204)
        try await silent.send(film.dropFirst(9_000_000))
        #expect(try await silent.answer().status == 409)
        #expect(metadata.videos.map(\.sha256) == [Checksum.sha256(film)])
        try await one.stop()
        try await two.stop()
    }

    @Test func aSenderThatIsTooSlowKeepsItsBytes() async throws {
        let server = try await start {
            ($0.minimumRate, $0.minimumRateSeconds) = (MinimumRate(constant: 1_000_000), 0.5)
        }
        let path = try await create(server, "-H", "Upload-Length: 20000000")
        let slow = try await startPatch(server, path, Data(repeating: 1, count: 20_000_000), at: 0, sending: 1000)
        let answer = try await slow.answer()
        // Clients of tus give up after a 408.
        #expect(answer.status == 503)
        #expect(try answer.code == "too_slow")
        let at = try #require(answer.headers["upload-offset"].flatMap { Int($0) })
        #expect(metadata.uploads.first?.offset == Int64(at))
        try await server.stop()
    }

    @Test(arguments: ["partial", "final;/v1/uploads/tus/a /v1/uploads/tus/b"])
    func partsOfAnUploadAreRefusedAtOnce(concat: String) async throws {
        let server = try await start()
        let answer = try await server.curl(
            ["-X", "POST"] + tus + ["-H", "Upload-Length: 10", "-H", "Upload-Concat: \(concat)", "/v1/uploads/tus"])
        #expect(answer.status == 400)
        #expect(try answer.code == "no_concatenation")
        #expect(metadata.uploads.isEmpty)
        try await server.stop()
    }

    @Test func theEndpointMayEndWithASlash() async throws {
        let server = try await start()
        let answer = try await server.curl(["-X", "POST"] + tus + ["-H", "Upload-Length: 10", "/v1/uploads/tus/"])
        #expect(answer.status == 201)
        let path = try #require(answer.headers["location"])
        #expect(try await offset(server, path) == 0)
        #expect(try await server.curl("-X", "OPTIONS", "/v1/uploads/tus/").headers["tus-version"] == "1.0.0")
        try await server.stop()
    }

    @Test(arguments: ["sha1", "md5", "sha256"])
    func aPieceWithTheWrongChecksumIsRefused(algorithm: String) async throws {
        let film = try Data(contentsOf: try await Clip(seconds: 1).make())
        let server = try await start()
        let path = try await create(server, "-H", "Upload-Length: \(film.count)")
        func checksum(_ data: Data) -> String {
            switch algorithm {
            case "sha1": Data(Digest.value(.sha1, of: data)).base64EncodedString()
            case "md5": Data(Digest.value(.md5, of: data)).base64EncodedString()
            default: Data(Digest.sha256(data)).base64EncodedString()
            }
        }
        let (half, rest) = (film.prefix(5000), film.dropFirst(5000))
        let wrong = try await patch(server, path, half, at: 0, "-H", "Upload-Checksum: \(algorithm) \(checksum(film))")
        #expect(wrong.status == 460)
        #expect(try await offset(server, path) == 0)
        let right = try await patch(server, path, half, at: 0, "-H", "Upload-Checksum: \(algorithm) \(checksum(half))")
        #expect(right.status == 204)
        let last = try await patch(
            server, path, rest, at: 5000, "-H", "Upload-Checksum: \(algorithm) \(checksum(rest))")
        #expect(last.headers["clairo-video-id"] != nil, "\(last)")
        try await server.stop()
    }

    @Test func refusesInvalidHeadersAndOffsets() async throws {
        let server = try await start { $0.maxUploadSize = 1000 }
        func post(_ arguments: String...) async throws -> Int {
            try await server.curl(["-X", "POST"] + tus + arguments + ["/v1/uploads/tus"]).status
        }
        #expect(try await post() == 400)
        #expect(try await post("-H", "Upload-Length: x") == 400)
        #expect(try await post("-H", "Upload-Length: -1") == 400)
        #expect(try await post("-H", "Upload-Length: 0") == 400)
        #expect(try await post("-H", "Upload-Length: 1001") == 413)
        #expect(try await post("-H", "Upload-Length: 5", "-H", "Upload-Defer-Length: 1") == 400)
        #expect(try await post("-H", "Upload-Length: 5", "-H", "Upload-Metadata: filename !!!") == 400)
        #expect(metadata.uploads.isEmpty)
        let path = try await create(server, "-H", "Upload-Length: 10")
        let bytes = Data("0123456789".utf8)
        #expect(try await patch(server, path, bytes, at: 1).status == 409)
        #expect(try await patch(server, path, bytes + bytes, at: 0).status == 413)
        #expect(try await patch(server, path, bytes + bytes, at: 0, "-H", "Transfer-Encoding: chunked").status == 413)
        #expect(try await patch(server, path, bytes, at: 0, "-H", "Content-Type: text/plain").status == 415)
        #expect(try await patch(server, path, bytes, at: 0, "-H", "Upload-Checksum: crc32 AAAA").status == 400)
        #expect(
            try await server.curl(
                ["-X", "PATCH"] + tus + ["-H", "Content-Type: application/offset+octet-stream", "-d", "x", path]
            ).status == 400)
        #expect(try await patch(server, path, bytes, at: 0).status == 422)
        #expect(try await server.curl(["-I"] + tus + [path]).status == 404)
        #expect(try store.list(prefix: "").isEmpty)
        #expect(try store.openUploads(prefix: "").isEmpty)
        try await server.stop()
    }

    @Test func anUploadWithTheWrongSHA256IsRefused() async throws {
        let film = try Data(contentsOf: try await Clip(seconds: 1).make())
        let server = try await start()
        let wrong = Data(Checksum.sha256(Data("another".utf8)).utf8).base64EncodedString()
        let path = try await create(
            server, "-H", "Upload-Length: \(film.count)", "-H", "Upload-Metadata: sha256 \(wrong)")
        #expect(try await patch(server, path, film, at: 0).status == 422)
        #expect(metadata.videos.isEmpty)
        #expect(try store.list(prefix: "").isEmpty)
        try await server.stop()
    }

    @Test func terminatingAnUploadDeletesItsBytes() async throws {
        let server = try await start()
        let path = try await create(server, "-H", "Upload-Length: 20000000")
        #expect(try await patch(server, path, Data(repeating: 1, count: 9_000_000), at: 0).status == 204)
        #expect(try store.list(prefix: "uploads/").count == 1)
        #expect(try await server.curl(["-X", "DELETE"] + tus + [path]).status == 204)
        #expect(try store.list(prefix: "").isEmpty)
        #expect(try store.openUploads(prefix: "").isEmpty)
        #expect(metadata.uploads.isEmpty)
        #expect(try await server.curl(["-X", "DELETE"] + tus + [path]).status == 404)
        try await server.stop()
    }

    @Test func theSweepRemovesAbandonedUploads() async throws {
        let prober = RejectingProber()
        let registration = UploadRegistration(store: store, metadata: metadata, prober: prober)
        let uploads = ResumableUploads(registration)
        let request = try UploadRequest(originalName: "film.mp4")
        let session = try await uploads.create(
            request, fingerprint: "x", size: 100, sha256: nil, largestLength: 100)
        var upload = try #require(try await uploads.append(to: session, commitsEarly: true))
        Data("some bytes".utf8).withUnsafeBytes { #expect(upload.take($0) == 10) }
        guard case .done(var kept) = try await upload.commit() else { throw CancellationError() }
        #expect(try await UploadSweep(registration).run() == 0)
        kept.expiresAt = Timestamp.now.advanced(bySeconds: -1)
        _ = try await metadata.updateUpload(kept)
        #expect(try await UploadSweep(registration).run() == 1)
        #expect(metadata.uploads.isEmpty)
        #expect(try store.list(prefix: "").isEmpty)
        #expect(try store.openUploads(prefix: "").isEmpty)
    }

    /// Debian's python3-tuspy, an independent client, with an interruption and a restart of the server.
    @Test(.enabled(if: TusTests.hasClient, "needs Debian's python3-tuspy"))
    func anIndependentClientUploadsAcrossARestart() async throws {
        let film = try await paddedClip(30 << 20, in: scratch)
        var server = try await start()
        let port = server.port
        let script = try scratch.write(
            """
            import sys
            from tusclient import client
            url, path, stop = sys.argv[1], sys.argv[2], int(sys.argv[3])
            # As through a proxy, to an endpoint that ends with a slash: the client resolves a relative Location.
            uploader = client.TusClient(url + '/v1/uploads/tus/', headers={'X-Forwarded-For': '192.0.2.1'}).uploader(
                path, chunk_size=3000000, metadata={'filename': 'film.mp4'}, upload_checksum=True,
                url=(url + sys.argv[4]) if len(sys.argv) > 4 else None)
            uploader.upload(stop_at=stop if stop else None)
            print(uploader.url)
            """, to: "upload.py")
        let python = "/usr/bin/python3"
        let first = try await ChildProcess(python, [script, server.url, film.path, "13000000"]).outcome()
        #expect(first.status == 0, "\(first)")
        let path = try #require(URL(string: first.text.trimmingCharacters(in: .whitespacesAndNewlines))?.path)
        try await server.stop()
        server = try await start { $0.port = port }
        let second = try await ChildProcess(python, [script, server.url, film.path, "0", path]).outcome()
        #expect(second.status == 0, "\(second)")
        #expect(metadata.videos.first?.sha256 == Checksum.sha256(try Data(contentsOf: film)))
        try await server.stop()
    }

    private static let hasClient = FileManager.default.fileExists(atPath: "/usr/lib/python3/dist-packages/tusclient")
}

private struct RejectingProber: MediaProber {
    func probe(_ source: any ByteSource, name: String, profile: String) throws(ClairoError) -> MediaInfo {
        throw .badMedia("no")
    }
}
