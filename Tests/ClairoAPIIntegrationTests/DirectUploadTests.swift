internal import ClairoAPI
internal import ClairoCore
internal import ClairoStorage
internal import ClairoTestSupport
internal import Foundation
internal import Testing

/// Uploads through presigned URLs, with curl as the client and real S3 servers that demand checksums, as AWS does.
@Suite(.mostlyWaits) struct DirectUploadTests {
    /// The installed servers. Without any, these tests are skipped.
    private static let kinds = S3Server.Kind.allCases.filter(S3Server.isInstalled)

    private let scratch: Scratch
    private let metadata = MemoryMetadata()

    init() throws { scratch = try Scratch() }

    private func start(_ kind: S3Server.Kind) async throws -> (TestServer, S3Store) {
        let s3 = try await S3Server.shared(kind)
        let proxy = try FaultProxy(to: s3.port, [S3Rules.demandingChecksums()])
        scratch.onCleanup { proxy.stop() }
        let store = try S3Store(
            url: "s3://\(try await s3.makeBucket())/raw", environment: S3Server.environment(endpoint: proxy.endpoint))
        return (try await TestServer.start(store: store, metadata: metadata), store)
    }

    private func create(_ server: TestServer, size: Int, sha256: String? = nil) async throws -> Answer {
        let sum = sha256.map { ",\"sha256\":\"\($0)\"" } ?? ""
        return try await server.curl(
            "-H", "Content-Type: application/json", "-d",
            "{\"name\":\"film.mp4\",\"tenant\":\"acme\",\"size\":\(size)\(sum)}",
            "/v1/uploads")
    }

    private func put(_ bytes: Data, to url: String) async throws {
        let piece = scratch.url("piece-\(UUID().uuidString)")
        try bytes.write(to: piece)
        let outcome = try await ChildProcess("curl", ["-sS", "-f", "-T", piece.path, url]).outcome()
        try #require(outcome.status == 0, "\(outcome)")
    }

    @Test(arguments: kinds)
    func partsUploadedToTheStoreBecomeAVideo(kind: S3Server.Kind) async throws {
        let (server, store) = try await start(kind)
        let film = try Data(contentsOf: try await paddedClip(12 << 20, in: scratch))
        let created = try await create(server, size: film.count, sha256: Checksum.sha256(film))
        #expect(created.status == 201, "\(created)")
        let path = try #require(created.headers["location"])
        let parts = try #require(created.json["parts"] as? [[String: Any]])
        #expect(try created.json["partSize"] as? Int == 8 << 20)
        #expect(parts.map { $0["size"] as? Int } == [8 << 20, film.count - (8 << 20)])
        try await put(film.prefix(8 << 20), to: try #require(parts[0]["url"] as? String))
        let early = try await server.curl("-X", "POST", "\(path)/complete")
        #expect(early.status == 409, "\(early)")
        #expect(early.text.contains("wrong size: 2"))
        let page = try await server.curl("\(path)/parts?from=2")
        let fresh = try #require(page.json["parts"] as? [[String: Any]])
        #expect(fresh.map { $0["number"] as? Int } == [2])
        try await put(film.dropFirst(8 << 20), to: try #require(fresh[0]["url"] as? String))
        #expect(try await server.curl(path).json["received"] as? [Int] == [1, 2])
        for _ in 0..<2 {
            let done = try await server.curl("-X", "POST", "\(path)/complete")
            #expect(done.status == 201, "\(done)")
            #expect(try done.json["sha256"] as? String == Checksum.sha256(film))
        }
        let video = try #require(metadata.videos.first)
        #expect(metadata.videos.count == 1)
        #expect(video.tenant == "acme")
        #expect(try await server.curl(path).json["videoID"] as? String == video.id.rawValue)
        let size = try await onDedicatedThread(name: "size") { try store.size(of: Video.sourceKey(video.id)) }
        #expect(size == Int64(film.count))
        try await server.stop()
    }

    @Test(arguments: kinds)
    func aFileWithTheWrongChecksumIsRejectedAndDeleted(kind: S3Server.Kind) async throws {
        let (server, store) = try await start(kind)
        let film = try Data(contentsOf: try await Clip(seconds: 1).make())
        let created = try await create(server, size: film.count, sha256: String(repeating: "0", count: 64))
        let path = try #require(created.headers["location"])
        let parts = try #require(created.json["parts"] as? [[String: Any]])
        try await put(film, to: try #require(parts[0]["url"] as? String))
        #expect(try await server.curl("-X", "POST", "\(path)/complete").status == 422)
        #expect(try await server.curl(path).status == 404)
        #expect(try await onDedicatedThread(name: "list") { try store.list(prefix: "") }.isEmpty)
        try await server.stop()
    }

    @Test(arguments: kinds)
    func anAbortedUploadLeavesNothing(kind: S3Server.Kind) async throws {
        let (server, store) = try await start(kind)
        let path = try #require(try await create(server, size: 30 << 20).headers["location"])
        #expect(try await server.curl("-X", "DELETE", path).status == 204)
        #expect(try await server.curl(path).status == 404)
        #expect(try await onDedicatedThread(name: "list") { try store.openUploads(prefix: "") }.isEmpty)
        #expect(metadata.uploads.isEmpty)
        try await server.stop()
    }
}
