import ClairoCore
import ClairoPipeline
import ClairoTestSupport
import Foundation
import Testing

/// A sender that pauses costs no memory and loses nothing.
@Suite struct UploadPauseTests {
    private let store = MemoryStore()
    private let metadata = MemoryMetadata()
    private var registration: UploadRegistration {
        UploadRegistration(store: store, metadata: metadata, prober: AcceptingProber())
    }
    private struct AcceptingProber: MediaProber {
        func probe(_ source: any ByteSource, name: String, profile: String) throws(ClairoError) -> MediaInfo {
            guard let media = MetadataSamples.video().media else { throw .badMedia("no") }
            return media
        }
    }

    private func bytes(_ count: Int, seed: UInt64 = 1) -> Data {
        var random = SeededGenerator(seed: seed)
        var words = [UInt64](repeating: 0, count: count / 8 + 1)
        for index in words.indices { words[index] = random.next() }
        return words.withUnsafeBytes { Data($0.prefix(count)) }
    }

    private func request() throws -> UploadRequest { try UploadRequest(originalName: "film.mp4") }

    // MARK: Resumable uploads

    private func create(size: Int) async throws -> UploadSession {
        try await ResumableUploads(registration).create(
            try request(), fingerprint: "x", size: Int64(size), sha256: nil, largestLength: Int64(size))
    }

    private func append(to session: UploadSession, commitsEarly: Bool = true) async throws -> ResumableUpload {
        try #require(try await ResumableUploads(registration).append(to: session, commitsEarly: commitsEarly))
    }

    private func send(_ data: Data, to upload: inout ResumableUpload) async throws {
        var rest = data[...]
        while !rest.isEmpty {
            rest = rest.dropFirst(rest.withUnsafeBytes { upload.take($0) })
            if upload.isPartFull { #expect(try await upload.sendPart()) }
        }
    }

    private func tails() throws -> [ObjectKey] { try store.list(prefix: "uploads/") }

    @Test(arguments: [1, 1000, 8 << 20, (8 << 20) + 1, 17 << 20])
    func aPauseCommitsWhatHasArrived(count: Int) async throws {
        let film = bytes(20 << 20)
        var upload = try await append(to: try await create(size: film.count))
        try await send(film.prefix(count), to: &upload)
        #expect(await upload.pause())
        #expect(metadata.uploads.first?.offset == Int64(count))
        // A second pause, or the end of the request, changes nothing.
        #expect(await upload.pause())
        #expect(try await upload.resume())
        try await send(film.dropFirst(count), to: &upload)
        guard case .done(let session) = try await upload.commit() else { throw CancellationError() }
        #expect(session.offset == Int64(film.count))
        #expect(try tails().isEmpty)
        let video = try await ResumableUploads(registration).finish(session, sha256: upload.sha256)
        #expect(try store.get(Video.sourceKey(video.id)) == film)
        #expect(video.sha256 == Checksum.sha256(film))
    }

    @Test func manyPausesLeaveOneTail() async throws {
        let film = bytes(10 << 20)
        var upload = try await append(to: try await create(size: film.count))
        for step in 0..<20 {
            try await send(film.dropFirst(step * 100_000).prefix(100_000), to: &upload)
            #expect(await upload.pause())
            #expect(try tails().count == 1)
            #expect(try await upload.resume())
        }
        try await send(film.dropFirst(2_000_000), to: &upload)
        guard case .done(let session) = try await upload.commit() else { throw CancellationError() }
        #expect(try tails().isEmpty)
        let video = try await ResumableUploads(registration).finish(session, sha256: upload.sha256)
        #expect(try store.get(Video.sourceKey(video.id)) == film)
    }

    @Test func anotherProcessContinuesAfterThePauseOfADeadConnection() async throws {
        let film = bytes(20 << 20)
        let created = try await create(size: film.count)
        var silent = try await append(to: created)
        try await send(film.prefix(9_000_000), to: &silent)
        #expect(await silent.pause())
        let known = try #require(try await metadata.upload(created.id))
        #expect(known.offset == 9_000_000)
        var next = try await append(to: known)
        try await send(film.dropFirst(9_000_000), to: &next)
        guard case .done(let session) = try await next.commit() else { throw CancellationError() }
        // The first request comes back to life.
        #expect(try await !silent.resume())
        #expect(try await !silent.sendPart())
        let video = try await ResumableUploads(registration).finish(session)
        #expect(try store.get(Video.sourceKey(video.id)) == film)
    }

    @Test func bytesUnderAChecksumStayInMemory() async throws {
        let film = bytes(1000)
        var upload = try await append(to: try await create(size: film.count), commitsEarly: false)
        try await send(film.prefix(500), to: &upload)
        #expect(await !upload.pause())
        #expect(metadata.uploads.first?.offset == 0)
        #expect(try await upload.resume())
        try await send(film.dropFirst(500), to: &upload)
        guard case .done(let session) = try await upload.commit() else { throw CancellationError() }
        #expect(session.offset == 1000)
    }

    @Test func aCommitThatFailsInAPauseIsReportedByTheNextCall() async throws {
        var upload = try await append(to: try await create(size: 1000))
        try await send(bytes(500), to: &upload)
        metadata.setAway(true)
        #expect(await !upload.pause())
        metadata.setAway(false)
        await #expect(throws: ClairoError.self) { try await upload.resume() }
        await #expect(throws: ClairoError.self) { try await upload.commit() }
        #expect(metadata.uploads.first?.offset == 0)
    }

    // MARK: Uploads in one request

    @Test(arguments: [1, 65_536, 65_537, 5 << 20, (5 << 20) + 70_000, 11 << 20])
    func anUploadContinuesAfterAPause(count: Int) async throws {
        let film = bytes(12 << 20)
        var upload = try await StreamUpload(
            registration, request: try request(), fingerprint: "x", largestLength: Int64(film.count))
        try await send(film.prefix(count), to: &upload)
        #expect(await upload.pause())
        #expect(await upload.pause())
        try await upload.resume()
        try await send(film.dropFirst(count), to: &upload)
        let video = try await upload.finish(request: try request())
        #expect(try store.get(Video.sourceKey(video.id)) == film)
        #expect(video.sha256 == Checksum.sha256(film))
        #expect(try store.list(prefix: "") == [Video.sourceKey(video.id)])
        #expect(metadata.uploads.isEmpty)
    }

    @Test func anUploadThatEndsInAPauseIsComplete() async throws {
        let film = bytes(6 << 20)
        var upload = try await StreamUpload(
            registration, request: try request(), fingerprint: "x", largestLength: Int64(film.count))
        try await send(film, to: &upload)
        #expect(await upload.pause())
        let video = try await upload.finish(request: try request())
        #expect(try store.get(Video.sourceKey(video.id)) == film)
    }

    @Test func anUploadAbandonedInAPauseLeavesNothing() async throws {
        var upload = try await StreamUpload(
            registration, request: try request(), fingerprint: "x", largestLength: 6 << 20)
        try await send(bytes(200_000), to: &upload)
        #expect(await upload.pause())
        #expect(try tails().count == 1)
        try await upload.abandon()
        #expect(try store.list(prefix: "").isEmpty)
        #expect(metadata.uploads.isEmpty)
    }

    private func send(_ data: Data, to upload: inout StreamUpload) async throws {
        var rest = data[...]
        while !rest.isEmpty {
            rest = rest.dropFirst(rest.withUnsafeBytes { upload.take($0) })
            if upload.isPartFull { try await upload.sendPart() }
        }
    }
}
