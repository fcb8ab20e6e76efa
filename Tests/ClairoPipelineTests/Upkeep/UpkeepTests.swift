import ClairoCore
import ClairoTestSupport
import Foundation
import Synchronization
import Testing

@testable import ClairoPipeline

/// What upkeep removes, what it keeps, and what it counts.
@Suite struct UpkeepTests {
    private let metadata: MemoryMetadata
    private let clock = Clock()
    private let raw = MemoryStore(bucket: "raw")
    private let output = MemoryStore(bucket: "output")

    /// The database's clock, which a test can set ahead.
    private final class Clock: Sendable {
        private let seconds = Mutex(0.0)
        var now: Timestamp { Timestamp.now.advanced(bySeconds: seconds.withLock { $0 }) }
        func advance(_ by: Double) { seconds.withLock { $0 += by } }
    }

    private struct NoProber: MediaProber {
        func probe(_ source: any ByteSource, name: String, profile: String) throws(ClairoError) -> MediaInfo {
            throw .defect("Upkeep does not probe")
        }
    }

    init() {
        let clock = clock
        metadata = MemoryMetadata(now: { clock.now })
    }

    private func upkeep(
        observer: Upkeep.Observer = Upkeep.Observer(), _ configure: (inout Upkeep.Options) -> Void = { _ in }
    ) -> Upkeep {
        var options = Upkeep.Options()
        configure(&options)
        return Upkeep(
            metadata: metadata,
            registration: UploadRegistration(store: raw, metadata: metadata, prober: NoProber()), output: output,
            options: options, observer: observer)
    }

    /// Runs a pass that must succeed.
    private func run(_ configure: (inout Upkeep.Options) -> Void = { _ in }) async throws -> UpkeepReport {
        let (report, failure) = try await upkeep(configure).run()
        #expect(failure == nil)
        return report
    }

    private func operations() -> JobOperations {
        let start = JobStart(metadata: metadata, policy: QueuePolicy(), messages: JobMessages())
        return JobOperations(metadata: metadata, output: output, start: start, messages: JobMessages())
    }

    private func folder(_ task: WorkTask) -> JobFolder { JobFolder(video: task.videoID, job: task.jobID) }

    /// A running job with some segments in the store.
    private func running() async throws -> WorkTask {
        let chunk = try await MetadataStoreContract.create([.chunk], in: metadata)[0]
        for name in ["00001", "00002"] {
            try output.put(Data("segment".utf8), at: folder(chunk).place(ObjectKey("video/180p/\(name).m4s")))
        }
        return chunk
    }

    /// A cancelled job with some segments in the store.
    private func cancelled() async throws -> WorkTask {
        let chunk = try await running()
        #expect(try await operations().cancel(chunk.videoID) != nil)
        return chunk
    }

    /// A job that succeeded after a repeated attempt, whose folder has the file `leftover` besides its output.
    private func published() async throws -> WorkTask {
        let chunk = try await running()
        let first = try #require(
            try await metadata.claimNextTask(kinds: [.chunk], owner: "w", leaseSeconds: 3600))
        #expect(try await metadata.releaseTask(TaskClaim(first), messages: []))
        try await publish(chunk)
        return chunk
    }

    /// Ends the job of a chunk successfully.
    private func publish(_ chunk: WorkTask) async throws {
        let finish = MetadataSamples.task(of: try #require(try await metadata.job(chunk.jobID)), .finish)
        let claimed = try #require(
            try await metadata.claimNextTask(kinds: [.chunk], owner: "w", leaseSeconds: 3600))
        #expect(
            try await metadata.succeedTask(
                TaskClaim(claimed), result: TaskResult(), finish: finish, messages: [])
        )
        let last = try #require(
            try await metadata.claimNextTask(kinds: [.finish], owner: "w", leaseSeconds: 3600))
        let file = FileRecord(key: "video/180p/00001.m4s", bytes: 7, sha256: "")
        let manifest = OutputManifest(
            state: .complete, generator: "test", planID: "p", plan: MetadataSamples.plan, files: [file])
        try output.put(JSON.encode(manifest), at: folder(chunk).place(OutputLayout.manifest))
        #expect(
            try await metadata.succeedFinish(
                TaskClaim(last), result: TaskResult(), renditions: [],
                output: MetadataSamples.output, messages: []))
    }

    private func names(_ task: WorkTask) throws -> [String] {
        try output.list(prefix: folder(task).prefix).map { String($0.rawValue.dropFirst(folder(task).prefix.count)) }
    }

    // MARK: Jobs

    @Test func aCancelledJobKeepsItsSegmentsForTheAgeAndNoLonger() async throws {
        let chunk = try await cancelled()
        #expect(try await run { $0.olderThanSeconds = 3600 } == UpkeepReport())
        #expect(try output.list(prefix: "").count == 2)
        clock.advance(3700)
        let report = try await run { $0.olderThanSeconds = 3600 }
        #expect(report.objects == 2 && report.bytes == 14)
        #expect(try output.list(prefix: "").isEmpty)
        #expect(try await metadata.job(chunk.jobID)?.sweptAt != nil)
        #expect(try await run { $0.olderThanSeconds = 0 }.isEmpty, "its mark is gone")
    }

    @Test func runningJobsAndJobsWithoutGarbageAreNotEvenListed() async throws {
        _ = try await running()
        let report = try await run { $0.olderThanSeconds = 0 }
        #expect(report.isEmpty)
        #expect(try output.list(prefix: "").count == 2)
    }

    @Test func aPublishedJobKeepsTheFilesThatItsManifestNames() async throws {
        let chunk = try await published()
        #expect(try names(chunk) == ["clairo.json", "video/180p/00001.m4s", "video/180p/00002.m4s"])
        let report = try await run { $0.olderThanSeconds = 0 }
        #expect(report.objects == 1 && report.bytes == 7)
        #expect(try names(chunk) == ["clairo.json", "video/180p/00001.m4s"])
        #expect(try await metadata.job(chunk.jobID)?.sweptAt == nil, "it is still published")
    }

    @Test func aJobWithoutReadableManifestIsKept() async throws {
        let chunk = try await published()
        try output.put(Data("{".utf8), at: folder(chunk).place(OutputLayout.manifest))
        #expect(try await run { $0.olderThanSeconds = 0 }.isEmpty)
        #expect(try names(chunk).count == 3)
    }

    @Test func aReplacedOutputIsRemovedAfterTheAge() async throws {
        let old = try await published()
        let next = try #require(try await operations().retry(old.videoID, anew: true))
        let job = try #require(try await metadata.job(next))
        let plan = try #require(try await metadata.claimNextTask(kinds: [.plan], owner: "w", leaseSeconds: 3600))
        let chunk = MetadataSamples.task(of: job)
        #expect(
            try await metadata.succeedPlan(
                TaskClaim(plan), result: TaskResult(), plan: MetadataSamples.plan,
                tasks: [chunk], messages: []))
        try output.put(Data("segment".utf8), at: folder(chunk).place("video/180p/00001.m4s"))
        try await publish(chunk)
        #expect(try await run { $0.olderThanSeconds = 3600 }.isEmpty)
        #expect(try await run { $0.olderThanSeconds = 0 }.objects == 3)
        #expect(try names(old).isEmpty)
        #expect(try names(chunk) == ["clairo.json", "video/180p/00001.m4s"])
    }

    @Test func aRetryAfterTheSegmentsAreGoneStartsAnotherJob() async throws {
        let chunk = try await cancelled()
        _ = try await run { $0.olderThanSeconds = 0 }
        let job = try #require(try await operations().retry(chunk.videoID))
        #expect(job != chunk.jobID)
        #expect(try await metadata.video(chunk.videoID)?.jobID == job)
        #expect(try await metadata.job(chunk.jobID)?.state == .cancelled)
    }

    /// The retry comes between the mark and the removal.
    @Test func aJobThatIsResumedMeanwhileKeepsItsSegments() async throws {
        let chunk = try await cancelled()
        let job = try #require(try await metadata.job(chunk.jobID))
        #expect(try await operations().retry(chunk.videoID) == chunk.jobID)
        let remover = ObjectRemover(store: output, isDryRun: false, mayContinue: {}, onRemove: { _ in })
        let report = try await JobSweep(metadata: metadata, remover: remover).sweep(job, olderThanSeconds: nil)
        #expect(report.isEmpty)
        #expect(try names(chunk).count == 2)
    }

    /// The retry comes between two pages.
    @Test func aJobThatIsBeingSweptCannotBeResumed() async throws {
        let chunk = try await cancelled()
        let (metadata, operations) = (metadata, operations())
        let jobs = Mutex<[JobID?]>([])
        let (_, failure) = try await upkeep { $0.olderThanSeconds = 0 }.run { () throws(ClairoError) in
            guard try await metadata.job(chunk.jobID)?.sweptAt != nil, jobs.withLock({ $0.isEmpty }) else { return }
            let job = try await operations.retry(chunk.videoID)
            jobs.withLock { $0.append(job) }
        }
        #expect(failure == nil)
        let next = try #require(jobs.withLock { $0 }.first ?? nil)
        #expect(next != chunk.jobID)
        #expect(try names(chunk).isEmpty)
        #expect(try await metadata.video(chunk.videoID)?.jobID == next)
    }

    // MARK: Unknown objects

    @Test func onlyAFullPassFindsObjectsThatTheDatabaseDoesNotKnow() async throws {
        let lost = JobFolder(video: .make(), job: .make())
        let foreign = JobFolder(video: .make(), job: .make())
        try output.put(Data([1]), at: lost.place("video/180p/00001.m4s"))
        try output.put(Data([1]), at: foreign.place(OutputLayout.masterPlaylist))
        try output.put(Data([1]), at: "videos/not-ours")
        #expect(try await run { $0.olderThanSeconds = 0 }.isEmpty)
        let dry = try await run { ($0.olderThanSeconds, $0.isFull, $0.isDryRun) = (0, true, true) }
        #expect(dry.objects == 1)
        #expect(try await run { ($0.olderThanSeconds, $0.isFull) = (0, true) }.objects == 1)
        #expect(
            try output.list(prefix: "") == [foreign.place(OutputLayout.masterPlaylist), "videos/not-ours"].sorted())
        let all = try await run { ($0.olderThanSeconds, $0.isFull, $0.removesUnknown) = (0, true, true) }
        #expect(all.objects == 1)
        #expect(try output.list(prefix: "") == ["videos/not-ours"])
    }

    @Test func aFullPassCountsEachObjectOnce() async throws {
        let gone = try await cancelled()
        let kept = try await published()
        let dry = try await run { ($0.olderThanSeconds, $0.isFull, $0.isDryRun) = (0, true, true) }
        #expect(dry.objects == 3 && dry.bytes == 21)
        #expect(try names(gone).count == 2 && names(kept).count == 3, "nothing was removed")
        #expect(try await metadata.job(gone.jobID)?.sweptAt == nil)
        let report = try await run { ($0.olderThanSeconds, $0.isFull) = (0, true) }
        #expect(report.objects == dry.objects && report.bytes == dry.bytes)
        #expect(try names(gone).isEmpty && names(kept).count == 2)
    }

    // MARK: Uploads

    private func upload(expiresIn seconds: Double, idleFor age: Double) async throws -> UploadSession {
        var session = MetadataSamples.upload(expiresIn: seconds)
        session.updatedAt = clock.now.advanced(bySeconds: -age)
        session.multipart = try raw.beginUpload(at: Video.sourceKey(session.videoID), partSize: 5 << 20)
        if let multipart = session.multipart { _ = try raw.putPart(Data(count: 1000), number: 1, of: multipart) }
        try await metadata.createUpload(session)
        return session
    }

    @Test func expiredAndIdleUploadsAreRemovedAndCounted() async throws {
        let expired = try await upload(expiresIn: -60, idleFor: 10)
        let idle = try await upload(expiresIn: 86_400, idleFor: 7200)
        let live = try await upload(expiresIn: 86_400, idleFor: 10)
        let dry = try await run { ($0.idleUploadSeconds, $0.isDryRun) = (3600, true) }
        #expect(dry.uploads == 2 && dry.bytes == 2000)
        #expect(metadata.uploads.count == 3)
        #expect(try await run().uploads == 1, "others may still be running")
        let report = try await run { $0.idleUploadSeconds = 3600 }
        #expect(report.uploads == 1 && report.bytes == 1000 && report.objects == 0)
        #expect(metadata.uploads.map(\.id) == [live.id])
        #expect(try raw.openUploads(prefix: "").map(\.key) == [Video.sourceKey(live.videoID)])
        for gone in [expired, idle] { #expect(try await metadata.upload(gone.id) == nil) }
    }

    @Test func uploadsOfDeadWorkersAreAbortedOnceTheirJobHasEnded() async throws {
        let (ended, live) = (try await cancelled(), try await running())
        for task in [ended, live] {
            let upload = try output.beginUpload(at: folder(task).place("mp4/180p.mp4"), partSize: 5 << 20)
            _ = try output.putPart(Data(count: 500), number: 1, of: upload)
        }
        let unknown = JobFolder(video: .make(), job: .make()).place("mp4/180p.mp4")
        _ = try output.beginUpload(at: unknown, partSize: 5 << 20)
        let report = try await run()
        #expect(report.uploads == 1 && report.bytes == 500)
        #expect(try Set(output.openUploads(prefix: "").map(\.key)) == [folder(live).place("mp4/180p.mp4"), unknown])
        #expect(try await run { ($0.isFull, $0.removesUnknown) = (true, true) }.uploads == 1)
    }

    // MARK: Rows

    @Test func rowsAreBounded() async throws {
        for _ in 0..<5 { try await metadata.addDeadLetter(MetadataSamples.deadLetter(), messages: []) }
        try await metadata.enqueue(
            (0..<5).map { MetadataSamples.message(of: .make(), topic: Topic.events, key: "\($0)") })
        let removed = Mutex<[RemovedDeadLetter]>([])
        let observer = Upkeep.Observer(onDeadLetter: { letter in removed.withLock { $0.append(letter) } })
        let (report, failure) = try await upkeep(observer: observer) {
            ($0.deadLetters, $0.queuedEvents) = (2, 1)
        }.run()
        #expect(failure == nil && report.deadLetters == 3 && report.rows == 4)
        #expect(removed.withLock { $0.count } == 3, "each is reported")
        #expect(try await metadata.queuedCounts() == [Topic.events: 1])
    }

    // MARK: Deletion

    @Test func aDeletedVideoIsRemovedWithEverythingThatItHas() async throws {
        let chunk = try await published()
        let id = chunk.videoID
        try raw.put(Data("source".utf8), at: Video.sourceKey(id))
        _ = try output.beginUpload(at: folder(chunk).place("mp4/180p.mp4"), partSize: 5 << 20)
        #expect(try await VideoDeletion(metadata: metadata).begin(id)?.state == .deleting)
        let dry = try await run { $0.isDryRun = true }
        #expect(dry.videos == 1 && dry.objects == 4 && dry.uploads == 1)
        #expect(try await metadata.video(id) != nil)
        let report = try await run()
        #expect(report.videos == 1 && report.objects == 4 && report.uploads == 1)
        #expect(try raw.list(prefix: "").isEmpty && output.list(prefix: "").isEmpty)
        #expect(try await metadata.video(id) == nil)
        #expect(try await metadata.job(chunk.jobID) == nil)
        #expect(try await VideoDeletion(metadata: metadata).begin(id) == nil)
        #expect(try await run().isEmpty)
    }

    /// A worker that still believes in its lease writes after the first removal.
    @Test func whatAWorkerWritesUntilItsLeaseEndsIsRemovedBeforeTheVideoIsGone() async throws {
        let chunk = try await running()
        let claimed = try #require(
            try await metadata.claimNextTask(kinds: [.chunk], owner: "w", leaseSeconds: 600))
        #expect(try await VideoDeletion(metadata: metadata).begin(chunk.videoID) != nil)
        #expect(try await run().objects == 2)
        #expect(try await metadata.video(chunk.videoID)?.state == .deleting, "a worker may still write")
        try output.put(Data("late".utf8), at: folder(chunk).place(OutputLayout.masterPlaylist))
        #expect(try await run().isEmpty, "it waits")
        clock.advance(600 + Deletion.quietSeconds + 1)
        let report = try await run()
        #expect(report.objects == 1 && report.videos == 1)
        #expect(try await metadata.video(chunk.videoID) == nil)
        #expect(
            try await metadata.renewLease(
                TaskClaim(claimed), leaseSeconds: 600, framesDone: 0) == false)
    }

    /// A process that was suspended in the middle of a request writes after the video is gone.
    @Test func aTombstoneLeadsToWhatWasWrittenAfterTheVideoWasGone() async throws {
        let chunk = try await cancelled()
        #expect(try await VideoDeletion(metadata: metadata).begin(chunk.videoID) != nil)
        #expect(try await run().videos == 1)
        try output.put(Data("late".utf8), at: folder(chunk).place(OutputLayout.masterPlaylist))
        #expect(try await run().isEmpty)
        #expect(
            try await run { ($0.olderThanSeconds, $0.isFull) = (0, true) }.objects == 1, "a full pass trusts it too")
        try output.put(Data("late".utf8), at: folder(chunk).place(OutputLayout.masterPlaylist))
        clock.advance(Deletion.lastLookSeconds + 1)
        #expect(try await run().objects == 1)
        #expect(try output.list(prefix: "").isEmpty)
        #expect(try await run().isEmpty)
        clock.advance(Deletion.tombstoneSeconds)
        #expect(try await run().rows == 1)
        #expect(try await metadata.deletion(of: chunk.videoID) == nil)
    }

    @Test func aVideoThatIsBeingDeletedIsNeitherResumedNorCancelled() async throws {
        let chunk = try await cancelled()
        #expect(try await VideoDeletion(metadata: metadata).begin(chunk.videoID) != nil)
        for anew in [false, true] {
            let error = try await #require(throws: ClairoError.self) {
                try await operations().retry(chunk.videoID, anew: anew)
            }
            #expect(error.exitCode == .usage && error.message.contains("is being deleted"))
        }
        let error = try await #require(throws: ClairoError.self) { try await operations().cancel(chunk.videoID) }
        #expect(error.exitCode == .usage)
        #expect(try await metadata.video(chunk.videoID)?.state == .deleting)
    }

    @Test func theDeletionOfARunningJobIsAnEvent() async throws {
        let chunk = try await running()
        #expect(try await VideoDeletion(metadata: metadata).begin(chunk.videoID) != nil)
        let events = metadata.messages.filter { $0.topic == Topic.events }
        #expect(events.count == 1)
        let event = try JSONDecoder().decode(JobEvent.self, from: try #require(events.first).payload)
        #expect(event.event == .cancelled && event.jobID == chunk.jobID)
    }

    // MARK: Failures

    @Test func aStopEndsThePassBeforeTheNextPage() async throws {
        let chunk = try await cancelled()
        let calls = Mutex(0)
        let error = try await #require(throws: ClairoError.self) {
            _ = try await upkeep { $0.olderThanSeconds = 0 }.run { () throws(ClairoError) in
                // The checks before the parts of videos and jobs, and then before the page of the job.
                let count = calls.withLock { calls in
                    calls += 1
                    return calls
                }
                if count > 2 { throw .cancelled }
            }
        }
        #expect(error.kind == .cancelled)
        #expect(try names(chunk).count == 2)
    }

    @Test func aFailureOfOnePartDoesNotStopTheOthers() async throws {
        let chunk = try await cancelled()
        _ = try await upload(expiresIn: -60, idleFor: 10)
        let errors = Mutex<[ClairoError]>([])
        var options = Upkeep.Options()
        options.olderThanSeconds = 3600
        clock.advance(7200)
        let upkeep = Upkeep(
            metadata: metadata,
            registration: UploadRegistration(store: raw, metadata: metadata, prober: NoProber()),
            output: Undeletable(base: output), options: options,
            observer: Upkeep.Observer(onError: { error in errors.withLock { $0.append(error) } }))
        let (report, failure) = try await upkeep.run()
        #expect(failure?.kind == .refused && errors.withLock { $0.map(\.kind) } == [.refused])
        #expect(report.uploads == 1 && report.objects == 0, "only what was removed is counted")
        #expect(try names(chunk).count == 2)
    }

    @Test func aVideoThatCannotBeDeletedDoesNotDelayTheOthers() async throws {
        let (kept, gone) = (try await running(), try await running())
        for chunk in [kept, gone] {
            #expect(try await VideoDeletion(metadata: metadata).begin(chunk.videoID) != nil)
        }
        let upkeep = Upkeep(
            metadata: metadata,
            registration: UploadRegistration(store: raw, metadata: metadata, prober: NoProber()),
            output: Undeletable(base: output, prefix: folder(kept).prefix), options: Upkeep.Options())
        let (report, failure) = try await upkeep.run()
        #expect(failure?.kind == .refused)
        #expect(report.videos == 1 && report.objects == 2, "what was removed beside a failure is counted")
        #expect(try await metadata.video(gone.videoID) == nil)
        #expect(try await metadata.video(kept.videoID)?.error?.message.contains("DeleteObject") == true)
        #expect(try names(kept).count == 2 && names(gone).isEmpty)
    }

    /// A store that refuses deletions below a prefix.
    private struct Undeletable: BackingStore, MultipartStore {
        let base: MemoryStore
        var prefix = ""

        func put(_ data: Data, at key: ObjectKey) throws(ClairoError) { try base.put(data, at: key) }
        func put(at key: ObjectKey, writing body: (_ write: (Data) throws(ClairoError) -> Void) throws -> Void) throws {
            try base.put(at: key, writing: body)
        }
        func get(_ key: ObjectKey) throws(ClairoError) -> Data { try base.get(key) }
        func open(_ key: ObjectKey) throws(ClairoError) -> any ByteSource { try base.open(key) }
        func info(of key: ObjectKey) throws(ClairoError) -> ObjectInfo? { try base.info(of: key) }
        func list(prefix: String, after key: ObjectKey?, limit: Int) throws(ClairoError) -> [ObjectKey] {
            try base.list(prefix: prefix, after: key, limit: limit)
        }
        func delete(_ key: ObjectKey) throws(ClairoError) {
            if key.rawValue.hasPrefix(prefix) { throw .refused("The bucket denies DeleteObject") }
            try base.delete(key)
        }
        func location(of key: ObjectKey) -> ObjectLocation { base.location(of: key) }
        func check() throws(ClairoError) {}
        func beginUpload(at key: ObjectKey, sizes: PartSizes, sender: PartSender) throws(ClairoError) -> MultipartUpload
        {
            try base.beginUpload(at: key, sizes: sizes, sender: sender)
        }
        func openUploads(prefix: String) throws(ClairoError) -> [MultipartUpload] {
            try base.openUploads(prefix: prefix)
        }
        func putPart(_ data: Data, number: Int, of upload: MultipartUpload) throws(ClairoError) -> UploadedPart {
            try base.putPart(data, number: number, of: upload)
        }
        func parts(of upload: MultipartUpload) throws(ClairoError) -> [UploadedPart] { try base.parts(of: upload) }
        func complete(_ upload: MultipartUpload, parts: [UploadedPart]) throws(ClairoError) -> ObjectInfo {
            try base.complete(upload, parts: parts)
        }
        func abort(_ upload: MultipartUpload) throws(ClairoError) { try base.abort(upload) }
    }

    // MARK: Schedule

    private func schedule(_ owner: String, ended: @escaping @Sendable (UpkeepReport, ClairoError?) -> Void)
        -> UpkeepSchedule
    {
        let upkeep = upkeep { $0.olderThanSeconds = 0 }
        return UpkeepSchedule(
            metadata, owner: owner, intervalSeconds: 300, make: { _ in upkeep }, onEnd: ended, onError: { _ in })
    }

    @Test func oneProcessOfAFleetRunsAPassAndTheNextOneIsDueAfterTheInterval() async throws {
        _ = try await cancelled()
        let reports = Mutex<[UpkeepReport]>([])
        let fleet = (0..<4).map { schedule("w\($0)") { report, _ in reports.withLock { $0.append(report) } } }
        await withTaskGroup { group in
            for one in fleet { group.addTask { await one.runIfDue(StopRequest()) } }
        }
        #expect(reports.withLock { $0.map(\.objects) } == [2])
        #expect(try await metadata.dutyStatus(.upkeep)?.succeededAt != nil)
        await fleet[1].runIfDue(StopRequest())
        #expect(reports.withLock { $0.count } == 1)
        clock.advance(331)
        await fleet[2].runIfDue(StopRequest())
        #expect(reports.withLock { $0.count } == 2)
    }

    @Test func aStopEndsTheRequestsOfARunningPass() async throws {
        let (drain, requests) = (StopRequest(), StopRequest())
        let upkeep = upkeep { $0.olderThanSeconds = 0 }
        let schedule = UpkeepSchedule(
            metadata, owner: "stopping", intervalSeconds: 0.01, requests: requests, make: { _ in upkeep },
            onEnd: { _, _ in }, onError: { _ in })
        async let ended: Void = schedule.run(until: drain)
        #expect(!requests.isCancelled)
        drain.cancel()
        await ended
        #expect(requests.isCancelled)
    }

    @Test func aStoppedPassIsContinuedByAnotherProcessAtOnce() async throws {
        let chunk = try await cancelled()
        let reports = Mutex(0)
        let stop = StopRequest()
        stop.cancel()
        await schedule("stopping") { _, _ in reports.withLock { $0 += 1 } }.runIfDue(stop)
        #expect(reports.withLock { $0 } == 0)
        #expect(try names(chunk).count == 2)
        await schedule("next") { _, _ in reports.withLock { $0 += 1 } }.runIfDue(StopRequest())
        #expect(reports.withLock { $0 } == 1)
        #expect(try names(chunk).isEmpty)
    }
}
