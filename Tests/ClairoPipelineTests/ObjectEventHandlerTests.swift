import ClairoCore
import ClairoMedia
import ClairoMetadata
import ClairoStorage
import ClairoTestSupport
import Foundation
import Synchronization
import Testing

@testable import ClairoPipeline

/// Objects in a bucket that were not uploaded by `clairo upload`.
@Suite struct ObjectEventHandlerTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private let raw = MemoryStore(bucket: "raw")
    private let output = MemoryStore(bucket: "out")
    private let incoming = MemoryStore(bucket: "incoming")
    private let metadata = MemoryMetadata()
    private let clip = MemoryMedia.wav(samples: 8000)

    private func handler() -> ObjectEventHandler {
        let stores = [raw, output, incoming]
        return handler { (name, _) throws(ClairoError) in
            guard let store = stores.first(where: { $0.location(of: "x").bucket == name }) else {
                throw .configuration("The bucket \(name) does not exist")
            }
            return store
        }
    }

    private func handler(_ openBucket: @escaping ObjectEventHandler.OpenBucket) -> ObjectEventHandler {
        ObjectEventHandler(
            ownStores: [raw, output], metadata: metadata, prober: EngineProber(MediaTaskEngine()),
            openBucket: openBucket,
            profile: "web", priority: .high, tenant: "acme")
    }

    private func event(_ records: String...) -> Data { Data("{\"Records\":[\(records.joined(separator: ","))]}".utf8) }

    /// An event record about the current or an earlier version of an object.
    private func record(_ key: String, bucket: String = "incoming", of data: Data?, sequencer: String? = nil) -> String
    {
        UploadDialectTests.record(
            bucket: bucket, key: key, eTag: data.map { Checksum.md5($0) } ?? "", sequencer: sequencer)
    }

    // MARK: Registration

    @Test func anObjectBecomesAVideoWithoutBeingCopied() async throws {
        try incoming.put(clip, at: "in box/über+1.wav")
        let summary = try await handler().handle(event: event(record("in+box/%C3%BCber%2B1.wav", of: clip)))
        let video = try #require(metadata.videos.first)
        #expect(summary.registered.map(\.videoID) == [video.id] && metadata.videos.count == 1)
        #expect(video.originalName == "über+1.wav" && video.state == .uploaded)
        #expect(video.profile == "web" && video.priority == .high && video.tenant == "acme")
        #expect(video.source == incoming.location(of: "in box/über+1.wav"))
        #expect(video.size == Int64(clip.count) && video.sha256 == Checksum.sha256(clip) && video.media != nil)
        #expect(try raw.list(prefix: "").isEmpty && incoming.list(prefix: "") == ["in box/über+1.wav"])
        let message = try #require(metadata.messages.first)
        #expect(metadata.messages.count == 1 && message.topic == Topic.uploads)
        #expect(try UploadDialect.read(message.payload) == .video(UploadMessage(video)))
        // The object may be old, but the message is new.
        #expect(message.dueAt > video.uploadedAt && message.dueAt <= .now)
    }

    @Test func repeatedEventsRegisterAnObjectOnce() async throws {
        try incoming.put(clip, at: "a.wav")
        let event = event(record("a.wav", of: clip), record("a.wav", of: clip))
        let handler = handler()
        try await withThrowingTaskGroup(of: ObjectEventSummary.self) { group in
            for _ in 0..<16 { group.addTask { try await handler.handle(event: event) } }
            let summaries = try await group.reduce(into: []) { $0.append($1) }
            #expect(summaries.flatMap(\.registered).count == 1)
            #expect(summaries.flatMap(\.known).count == 15)
            #expect(Set(summaries.flatMap { $0.registered + $0.known }.map(\.videoID)).count == 1)
        }
        #expect(metadata.videos.count == 1 && metadata.messages.count == 1)
        // Also if registered directly, without a known ETag.
        #expect(try await handler.handle(bucket: "incoming", key: "a.wav").known.count == 1)
        #expect(metadata.messages.count == 1)
    }

    @Test func newContentUnderTheSameKeyIsAnotherVideo() async throws {
        let other = MemoryMedia.wav(samples: 9000)
        try incoming.put(clip, at: "a.wav")
        _ = try await handler().handle(event: event(record("a.wav", of: clip)))
        try incoming.put(other, at: "a.wav")
        _ = try await handler().handle(event: event(record("a.wav", of: other)))
        #expect(Set(metadata.videos.map(\.sha256)) == [Checksum.sha256(clip), Checksum.sha256(other)])
    }

    @Test func reorderedEventsRegisterTheCurrentObject() async throws {
        let newer = MemoryMedia.wav(samples: 9000)
        try incoming.put(newer, at: "a.wav")
        let (first, second) = (record("a.wav", of: clip, sequencer: "0A"), record("a.wav", of: newer, sequencer: "0B"))
        let late = try await handler().handle(event: event(second))
        let early = try await handler().handle(event: event(first))
        let both = try await handler().handle(event: event(second, first))
        #expect(late.registered.count == 1 && early.registered.isEmpty && both.known.count == 1)
        #expect(early.ignored.map(\.reason) == ["it has since been replaced"])
        #expect(metadata.videos.map(\.sha256) == [Checksum.sha256(newer)])
    }

    // MARK: Refusals

    @Test func objectsWrittenByClairoAreIgnored() async throws {
        let own: [(MemoryStore, ObjectKey)] = [
            (raw, Video.sourceKey(.make())), (output, "videos/a/b/mp4/1080p.mp4"), (raw, "videos/\u{301}.wav"),
        ]
        for (store, key) in own { try store.put(clip, at: key) }
        for (store, key) in own {
            let outcome = try await handler().handle(
                try ObjectNotice(bucket: store.location(of: key).bucket, key: key.rawValue))
            guard case .ignored("Clairo wrote it") = outcome else { throw ClairoError.defect("\(outcome)") }
        }
        #expect(metadata.videos.isEmpty)
        // Outside of Clairo's own folder, the raw bucket is a bucket like any other.
        try raw.put(clip, at: "drop/a.wav")
        let summary = try await handler().handle(event: event(record("drop/a.wav", bucket: "raw", of: clip)))
        #expect(summary.registered.count == 1)
    }

    @Test func aMissingObjectIsReportedAndTheOthersAreRegistered() async throws {
        try incoming.put(clip, at: "b.wav")
        let summary = try await handler().handle(event: event(record("a.wav", of: clip), record("b.wav", of: clip)))
        #expect(summary.ignored.map(\.object) == ["s3://incoming/a.wav"])
        #expect(summary.ignored.map(\.reason) == ["the object no longer exists"])
        #expect(summary.registered.count == 1)
    }

    @Test func refusesAnObjectThatIsNotAVideoAndSaysWhy() async throws {
        let text = Data("Dear diary".utf8)
        try incoming.put(text, at: "diary.txt")
        let summary = try await handler().handle(event: event(record("diary.txt", of: text)))
        #expect(summary.refused.map(\.object) == ["s3://incoming/diary.txt"])
        #expect(summary.refused.allSatisfy { !$0.reason.isEmpty })
        #expect(metadata.videos.isEmpty && metadata.messages.isEmpty)
        #expect(try incoming.list(prefix: "").count == 1)
    }

    /// S3's console creates an empty object for a new folder.
    @Test func aFolderIsIgnoredWithoutLookingAtIt() async throws {
        let handler = handler { (_, _) throws(ClairoError) in throw .unavailable("S3 is away") }
        let summary = try await handler.handle(event: event(record("folder/", of: Data())))
        #expect(summary.ignored.map(\.object) == ["s3://incoming/folder/"])
        #expect(summary.ignored.map(\.reason) == ["it is a folder"])
    }

    // MARK: Buckets that do not answer

    @Test func aBucketThatDoesNotAnswerIsGivenUp() async throws {
        let handler = ObjectEventHandler(
            ownStores: [], metadata: metadata, prober: EngineProber(MediaTaskEngine()),
            openBucket: { (_, requests) throws(ClairoError) in
                let end = DispatchSemaphore(value: 0)
                requests.onCancel { end.signal() }
                end.wait()
                throw .cancelled
            }, answerSeconds: 0.01)
        let event = event(record("a.wav", of: clip))
        let error = try await #require(throws: ClairoError.self) { try await handler.handle(event: event) }
        #expect(error.kind == .transient && error.message.contains("did not answer within 0.01 s"), "\(error)")
    }

    @Test func aBucketThatTookLongIsPausedAndThenTriedOnce() throws {
        let pauses = BucketPauses()
        let now = Timestamp.now
        try pauses.check("slow", now: now)
        pauses.failed("slow", after: 5, now: now)
        #expect(throws: ClairoError.self) { try pauses.check("slow", now: now.advanced(bySeconds: 19)) }
        try pauses.check("other", now: now)
        // One caller tries it, and the others do not wait for the outcome.
        try pauses.check("slow", now: now.advanced(bySeconds: 21))
        #expect(throws: ClairoError.self) { try pauses.check("slow", now: now.advanced(bySeconds: 21)) }
        pauses.answered("slow")
        try pauses.check("slow", now: now.advanced(bySeconds: 21))
    }

    @Test func aBucketThatFailsAtOnceIsNotPaused() throws {
        let pauses = BucketPauses()
        pauses.failed("refusing", after: BucketPauses.least / 2)
        try pauses.check("refusing")
    }

    @Test func aFloodOfNamesDoesNotGrowThePauses() throws {
        let pauses = BucketPauses()
        let now = Timestamp.now
        for number in 0..<2000 { pauses.failed("bucket-\(number)", after: 20, now: now) }
        #expect(throws: ClairoError.self) { try pauses.check("bucket-0", now: now) }
        try pauses.check("bucket-1999", now: now)
        // Places of pauses that have ended are free again.
        let later = now.advanced(bySeconds: 3600)
        pauses.failed("bucket-1999", after: 20, now: later)
        #expect(throws: ClairoError.self) { try pauses.check("bucket-1999", now: later) }
    }

    @Test func anUnavailableStoreIsRetried() async throws {
        try incoming.put(clip, at: "a.wav")
        let store = incoming
        let isAway = Mutex(true)
        let openBucket: ObjectEventHandler.OpenBucket = { (_, _) throws(ClairoError) in
            if isAway.withLock(\.self) { throw .unavailable("S3 is away") }
            return store
        }
        let event = event(record("a.wav", of: clip))
        let error = try await #require(throws: ClairoError.self) {
            try await handler(openBucket).handle(event: event)
        }
        #expect(error.kind == .transient)
        isAway.withLock { $0 = false }
        #expect(try await handler(openBucket).handle(event: event).registered.count == 1)
    }

    @Test func anUnavailableDatabaseIsRetried() async throws {
        try incoming.put(clip, at: "a.wav")
        metadata.setAway(true)
        let event = event(record("a.wav", of: clip))
        let handler = handler()
        let error = try await #require(throws: ClairoError.self) { try await handler.handle(event: event) }
        #expect(error.kind == .transient)
        metadata.setAway(false)
        #expect(try await handler.handle(event: event).registered.count == 1)
    }

    @Test func anUnusableBucketIsReportedAfterTheOthersAreRegistered() async throws {
        try incoming.put(clip, at: "a.wav")
        let event = event(record("x.wav", bucket: "nowhere", of: clip), record("a.wav", of: clip))
        let handler = handler()
        let error = try await #require(throws: ClairoError.self) { try await handler.handle(event: event) }
        #expect(error.exitCode == .configuration && metadata.videos.count == 1)
    }

    @Test func registeringAnUnusableObjectDirectlyIsAnError() async throws {
        try incoming.put(Data("Dear diary".utf8), at: "diary.txt")
        let handler = handler()
        for (bucket, key, code) in [
            ("incoming", "none.wav", ClairoError.ExitCode.noInput), ("incoming", "diary.txt", .badMedia),
            ("raw", "videos/a", .usage), ("not a bucket", "a", .badMedia),
        ] {
            let error = try await #require(throws: ClairoError.self) {
                try await handler.handle(bucket: bucket, key: key)
            }
            #expect(error.exitCode == code, "\(error)")
        }
    }

    @Test func clairosOwnUploadMessageRegistersNothing() async throws {
        try incoming.put(clip, at: "a.wav")
        _ = try await handler().handle(event: event(record("a.wav", of: clip)))
        let message = try #require(metadata.messages.first)
        let summary = try await handler().handle(event: message.payload)
        #expect(summary.ignored.count == 1 && metadata.messages.count == 1)
    }

    @Test func aSummarySurvivesAJSONRoundTrip() async throws {
        try incoming.put(clip, at: "a.wav")
        let summary = try await handler().handle(event: event(record("a.wav", of: clip), "{}"))
        #expect(summary.unreadable.count == 1)
        #expect(try JSONDecoder().decode(ObjectEventSummary.self, from: JSON.encode(summary)) == summary)
    }

    // MARK: Sources

    @Test func deletingAVideoKeepsItsSourceInAForeignBucket() async throws {
        try incoming.put(clip, at: "a.wav")
        _ = try await handler().handle(event: event(record("a.wav", of: clip)))
        let video = try #require(metadata.videos.first)
        try await delete(video.id)
        #expect(metadata.videos.isEmpty)
        #expect(try incoming.get("a.wav") == clip)
    }

    @Test func anEventOrAnOperatorDoesNotRegisterADeletedVideoAgain() async throws {
        try incoming.put(clip, at: "a.wav")
        let event = event(record("a.wav", of: clip))
        _ = try await handler().handle(event: event)
        let video = try #require(metadata.videos.first)
        _ = try await VideoDeletion(metadata: metadata).begin(video.id)
        #expect(try await handler().handle(event: event).ignored.map(\.reason) == ["its video was deleted"])
        try await delete(video.id)
        #expect(try await handler().handle(event: event).ignored.map(\.reason) == ["its video was deleted"])
        let error = try await #require(throws: ClairoError.self) {
            try await handler().handle(bucket: "incoming", key: "a.wav")
        }
        #expect(error.exitCode == .usage && metadata.videos.isEmpty)
    }

    private func delete(_ id: VideoID) async throws {
        _ = try await VideoDeletion(metadata: metadata).begin(id)
        let deletion = try #require(try await metadata.deletion(of: id))
        let report = try await VideoRemoval(metadata: metadata, raw: raw, output: output).advance(deletion)
        #expect(report.videos == 1)
    }
}
