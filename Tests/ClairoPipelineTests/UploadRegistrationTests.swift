import ClairoCore
import ClairoPipeline
import ClairoTestSupport
import Foundation
import Testing

/// An upload ends with a video and its source, or with neither.
@Suite struct UploadRegistrationTests {
    private let store = MemoryStore()
    private let metadata = MemoryMetadata()
    private var registration: UploadRegistration {
        UploadRegistration(store: store, metadata: metadata, prober: RejectingProber())
    }

    private struct RejectingProber: MediaProber {
        func probe(_ source: any ByteSource, name: String, profile: String) throws(ClairoError) -> MediaInfo {
            throw .badMedia("no")
        }
    }

    /// An upload whose object is complete.
    private func arrived() async throws -> UploadSession {
        var session = MetadataSamples.upload()
        session.size = 4
        try await metadata.createUpload(session)
        try store.put(Data("film".utf8), at: Video.sourceKey(session.videoID))
        return session
    }

    private func finish(_ session: UploadSession) async throws -> Video {
        try await registration.finish(
            session, sha256: Checksum.sha256(Data("film".utf8)), media: MetadataSamples.video().media)
    }

    private func expectBothOrNeither() throws {
        #expect(try metadata.videos.isEmpty == store.list(prefix: "").isEmpty)
        #expect(metadata.messages.isEmpty == metadata.videos.isEmpty)
    }

    @Test(arguments: 1...4) func anUploadFinishedDuringItsDiscardKeepsItsSource(call: Int) async throws {
        let session = try await arrived()
        metadata.interrupt(after: call) { _ = try? await finish(session) }
        try await registration.discard(session)
        try expectBothOrNeither()
    }

    @Test(arguments: 1...4) func anUploadDiscardedWhileItFinishesHasVideoAndSourceOrNeither(call: Int) async throws {
        let session = try await arrived()
        metadata.interrupt(after: call) { try? await registration.discard(session) }
        _ = try? await finish(session)
        try expectBothOrNeither()
    }

    @Test func anUploadResumedDuringItsDiscardIsDiscardedInItsCurrentState() async throws {
        let session = try await arrived()
        var changed = session
        changed.offset = 2
        changed.expiresAt = Timestamp.now.advanced(bySeconds: 60)
        _ = try await metadata.updateUpload(changed)
        try await registration.discard(session, ifUnchanged: true)
        #expect(metadata.uploads.map(\.offset) == [2])
        #expect(try store.list(prefix: "").count == 1)
        try await registration.discard(session)
        #expect(metadata.uploads.isEmpty)
        #expect(try store.list(prefix: "").isEmpty)
    }

    @Test func aVideoStaysWhenItsUploadIsDiscarded() async throws {
        let session = try await arrived()
        let video = try await finish(session)
        try await registration.discard(session)
        #expect(metadata.videos == [video])
        #expect(metadata.uploads.isEmpty)
        #expect(try store.list(prefix: "") == [Video.sourceKey(session.videoID)])
    }

    // MARK: Streams

    private static let film = MemoryMedia.noise(12 << 20)

    private func stream() async throws -> StreamUpload {
        var upload = try await StreamUpload(
            registration, request: try UploadRequest(originalName: "film.mp4"), fingerprint: "f",
            largestLength: 1 << 30)
        var rest = Self.film[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { upload.take($0) }
            rest = rest.dropFirst(count)
            if upload.isPartFull { try await upload.sendPart() }
        }
        return upload
    }

    private func finishStream(_ upload: inout StreamUpload) async -> ClairoError? {
        do {
            _ = try await upload.finish(request: try UploadRequest(originalName: "film.mp4"))
            return nil
        } catch { return error }
    }

    @Test func theObjectConsistsOfTheSentPartsWhateverTheStoreLists() async throws {
        store.setFaults { $0.unlistedParts = 1 }
        var upload = try await stream()
        // The prober rejects it, which happens after the object was completed and its length checked.
        let error = await finishStream(&upload)
        #expect(error?.kind == .badInput, "\(String(describing: error))")
    }

    @Test func anObjectThatLostBytesIsNotRegisteredAndLeavesNothing() async throws {
        store.setFaults { $0.lostBytes = 1 }
        var upload = try await stream()
        let error = await finishStream(&upload)
        #expect(error?.exitCode == .inputOutput, "\(String(describing: error))")
        try await upload.abandon()
        #expect(metadata.videos.isEmpty && metadata.uploads.isEmpty)
        #expect(try store.list(prefix: "").isEmpty)
    }
}
