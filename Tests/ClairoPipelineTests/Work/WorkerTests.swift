import ClairoCore
import ClairoTestSupport
import Foundation
import Synchronization
import Testing

@testable import ClairoPipeline

/// What a worker records about the tasks that it runs.
@Suite struct WorkerTests {
    private let metadata = MemoryMetadata()
    private let store = MemoryStore()
    private let log = WorkerLog()
    private let plan = Plan.sample(chunks: 1, segmentsPerChunk: 1)

    private func worker(
        _ executor: any TaskExecutor, health: DaemonHealth = DaemonHealth(),
        openSource: @escaping @Sendable (ObjectLocation) throws(ClairoError) -> any ByteSource = { _ in
            MemorySource(Data([1]))
        }
    ) -> Worker {
        Worker(
            Worker.Services(metadata: metadata, output: store, openSource: openSource, executor: executor),
            owner: "test", leaseSeconds: 3600, health: health, report: { [log] in log.note($0) })
    }

    /// A running job with one chunk task, which is due.
    private func chunk(maxAttempts: Int = 5) async throws -> WorkTask {
        try await MetadataStoreContract.chunk(of: plan, maxAttempts: maxAttempts, in: metadata)
    }

    private func now(_ task: WorkTask) async throws -> WorkTask {
        try #require(try await metadata.tasks(of: task.jobID).first { $0.id == task.id })
    }

    /// Claims a chunk task and runs it.
    @discardableResult
    private func perform(
        stop: StopRequest = StopRequest(), _ script: @escaping ScriptedExecutor.Script
    ) async throws -> Worker.Claimed {
        let worker = worker(ScriptedExecutor(script))
        let claimed = try #require(try await worker.claim([.chunk]))
        try await worker.perform(claimed, stop: stop)
        return claimed
    }

    private func failing(_ error: ClairoError) -> ScriptedExecutor.Script {
        { (_, _, _, _) async throws(ClairoError) in throw error }
    }

    // MARK: Success

    @Test func aJobRunsFromItsPlanToItsPublishedRenditions() async throws {
        let task = try await MetadataStoreContract.create([.plan], in: metadata)[0]
        let specs = Mutex<[(kind: String, hasSource: Bool)]>([])
        let plan = plan
        let worker = worker(
            ScriptedExecutor { (spec, io, _, _) async throws(ClairoError) in
                let kind =
                    switch spec.work {
                    case .plan: "plan"
                    case .chunk: "chunk"
                    case .track: "track"
                    case .finish(let request): "finish of \(request.segments.count) files"
                    default: "?"
                    }
                specs.withLock { $0.append((kind, io.source != nil)) }
                return try ScriptedExecutor.result(of: spec, io, plan)
            })
        while let claimed = try await worker.claim(WorkTask.Kind.allCases) {
            try await worker.perform(claimed, stop: StopRequest())
        }
        #expect(specs.withLock { $0.map(\.kind) }.sorted() == ["chunk", "finish of 2 files", "plan", "track"])
        #expect(specs.withLock { $0.last?.hasSource } == false, "a finish task reads no source")
        #expect(specs.withLock { $0.dropLast().allSatisfy(\.hasSource) })
        #expect(try await metadata.job(task.jobID)?.state == .succeeded)
        #expect(try await metadata.video(task.videoID)?.state == .ready)
        #expect(log.words.filter { $0.hasSuffix("succeeded") }.count == 4)
    }

    @Test func theWarningsOfAllTasksReachTheRowTheDocumentAndTheEvent() async throws {
        let task = try await MetadataStoreContract.create([.plan], in: metadata)[0]
        let planned = [MediaWarning(.trackUnused, "stream 2 is not used", advice: "Give it as a file.")]
        let plan = plan
        let worker = worker(
            ScriptedExecutor { (spec, io, _, _) async throws(ClairoError) in
                var result = try ScriptedExecutor.result(of: spec, io, plan)
                switch spec.work {
                case .plan: result.warnings = planned + planned
                case .chunk:
                    result.warnings = [MediaWarning(.formatChanges, "the size changes")]
                    (result.decodedFrames, result.decodeErrors) = (150, 1)
                case .track: result.warnings = [MediaWarning(.samplesClipped, "7 samples were clipped")]
                case .finish: result.warnings = [MediaWarning(.framesLost, "1 frame is missing")]
                default: break
                }
                return result
            })
        let first = try #require(try await worker.claim([.plan]))
        try await worker.perform(first, stop: StopRequest())
        #expect(try await metadata.job(task.jobID)?.warnings == planned)
        while let claimed = try await worker.claim(WorkTask.Kind.allCases) {
            try await worker.perform(claimed, stop: StopRequest())
        }
        let warnings = try #require(try await metadata.job(task.jobID)?.warnings)
        #expect(warnings.map(\.code) == [.damaged, .trackUnused, .samplesClipped, .formatChanges, .framesLost])
        #expect(warnings[1] == planned[0])

        let report = try #require(try await VideoReport(task.videoID, in: metadata, for: .client))
        #expect(report.document.warnings == warnings)
        #expect(report.document.jobs?.map(\.warnings) == [warnings])
        let events = try metadata.messages.filter { $0.topic == Topic.events }
            .map { try JSONDecoder().decode(JobEvent.self, from: $0.payload) }
        #expect(events.map(\.event) == [.planned, .ready])
        #expect(events.map(\.warnings) == [planned, warnings])
    }

    @Test func theFilesOfATaskAreRecordedByTheirNamesInTheStore() async throws {
        let task = try await chunk()
        let plan = plan
        try await perform { (spec, io, _, _) async throws(ClairoError) in
            try ScriptedExecutor.result(of: spec, io, plan)
        }
        let files = try await now(task).result?.files ?? []
        #expect(files.map(\.key) == [Plan.sampleRung.initKey, Plan.sampleRung.segmentKey(0)].map(\.rawValue).sorted())
        let prefix = JobFolder(video: task.videoID, job: task.jobID).prefix
        #expect(try store.list(prefix: prefix).map(\.rawValue) == files.map { prefix + $0.key })
    }

    @Test func nothingIsClaimedIfNothingIsDue() async throws {
        #expect(try await worker(ScriptedExecutor.succeeding(plan)).claim(WorkTask.Kind.allCases) == nil)
        #expect(log.words.isEmpty)
    }

    // MARK: Progress

    @Test func progressIsLimitedByThePlanAndResetByAFailedAttempt() async throws {
        let task = try await chunk()
        let (reported, done) = (Event(), Event())
        let worker = worker(
            ScriptedExecutor { (_, io, observer, _) async throws(ClairoError) in
                try io.output?.put(Data("half".utf8), at: Plan.sampleRung.segmentKey(0))
                for frames in [10, -1, Int.max] { observer.progress(frames) }
                reported.happen()
                await done.wait()
                throw .defect("it was caught")
            })
        let claimed = try #require(try await worker.claim([.chunk]))
        async let performed = worker.perform(claimed, stop: StopRequest())
        await reported.wait()
        #expect(await worker.renew(claimed))
        #expect(try await now(task).framesDone == task.framesPlanned)
        #expect(try store.list(prefix: "").count == 1)
        done.happen()
        _ = try await performed
        #expect(try await now(task).state == .pending)
        #expect(try await now(task).error?.message.contains("it was caught") == true)
        #expect(try store.list(prefix: "") == [])
    }

    // MARK: Failures

    @Test func aTransientErrorIsRetriedLater() async throws {
        let task = try await chunk()
        try await perform(failing(.temporary("the store is slow")))
        let after = try await now(task)
        #expect(after.state == .pending && after.attempt == 1)
        #expect(after.maxAttempts == task.maxAttempts + 1, "it does not count")
        #expect(after.notBefore > after.updatedAt && after.error?.kind == .transient)
        #expect(metadata.messages.last?.topic == Topic.tasks)
        #expect(try #require(metadata.messages.last).dueAt > after.updatedAt)
        #expect(log.words == ["chunk began", "chunk failed(retry)"])
    }

    @Test func aCapacityErrorDoesNotCountAsAnAttempt() async throws {
        let task = try await chunk()
        try await perform(failing(ClairoError(kind: .capacity, exitCode: .temporary, "the disk is full")))
        let after = try await now(task)
        #expect(after.state == .pending && after.maxAttempts == task.maxAttempts + 1)
        #expect(log.words.last == "chunk failed(retry)")
    }

    @Test func badMediaFailsTheJobWithoutADeadLetter() async throws {
        let task = try await chunk()
        try await perform(failing(.badMedia("no film")))
        #expect(try await metadata.job(task.jobID)?.state == .failed)
        #expect(try await metadata.video(task.videoID)?.error?.message == "no film")
        #expect(try await metadata.deadLetters(topic: nil, all: true, limit: 10).isEmpty)
        #expect(log.words.last == "chunk failed(failure)")
    }

    @Test func theLastDefectBecomesADeadLetterWithTheTaskDocument() async throws {
        let task = try await chunk(maxAttempts: 3)
        try await perform(failing(.defect("it crashed")))
        #expect(try await metadata.job(task.jobID)?.state == .failed)
        let letter = try #require(try await metadata.deadLetters(topic: nil, all: true, limit: 10).first)
        #expect(letter.failure.message == "it crashed" && letter.videoID == task.videoID)
        let spec = try JSONDecoder().decode(TaskSpec.self, from: letter.payload)
        #expect(spec.taskID == task.id && spec.work == .chunk(plan, index: 0))
        #expect(metadata.messages.contains { $0.topic == Topic.deadLetters(of: Topic.tasks) })
        #expect(log.words.last == "chunk failed(deadLetter)")
    }

    // MARK: Refusals

    static let refusals = [
        ClairoError.refused("ExpiredToken"), .refused("the bucket does not exist", exitCode: .configuration),
        ClairoError(kind: .capacity, exitCode: .inputOutput, "the store is full"),
        .unavailable("the store is away"),
    ]

    @Test(arguments: refusals) func aBlockedTaskIsRetriedLaterAndItsJobGoesOn(_ refusal: ClairoError) async throws {
        let task = try await chunk()
        let worker = worker(ScriptedExecutor(failing(refusal)))
        for attempt in 1...20 {
            let claimed = try #require(try await worker.claim([.chunk]))
            #expect(try await worker.perform(claimed, stop: StopRequest()) == .blocked(refusal))
            let after = try await now(task)
            #expect(after.state == .pending && after.attempt == attempt)
            #expect(after.maxAttempts == task.maxAttempts + attempt, "it does not count")
            #expect(after.notBefore > after.updatedAt && after.error?.kind == refusal.kind)
            #expect(log.words.last == "chunk failed(retry)")
            // As if the delay had passed.
            metadata.makeDue(task.id)
        }
        #expect(try await metadata.job(task.jobID)?.state == .running)
        let healthy = self.worker(ScriptedExecutor.succeeding(plan))
        let claimed = try #require(try await healthy.claim([.chunk]))
        #expect(try await healthy.perform(claimed, stop: StopRequest()) == .worked)
        #expect(try await now(task).state == .succeeded)
    }

    @Test func aRefusedSourceIsNoBadMedia() async throws {
        let task = try await MetadataStoreContract.create([.plan], in: metadata)[0]
        let refusal = ClairoError.refused("Reading s3://raw/x: AccessDenied")
        let worker = worker(ScriptedExecutor.succeeding(plan)) { _ throws(ClairoError) in throw refusal }
        let claimed = try #require(try await worker.claim([.plan]))
        #expect(try await worker.perform(claimed, stop: StopRequest()) == .blocked(refusal))
        #expect(try await now(task).state == .pending)
        #expect(try await metadata.video(task.videoID)?.state == .processing)
    }

    @Test func aDeletedSourceFailsTheJobAndSaysSo() async throws {
        let task = try await MetadataStoreContract.create([.plan], in: metadata)[0]
        let worker = worker(ScriptedExecutor.succeeding(plan)) { _ throws(ClairoError) in
            throw .noInput("s3://raw/x does not exist", advice: "Check the name.")
        }
        let claimed = try #require(try await worker.claim([.plan]))
        #expect(try await worker.perform(claimed, stop: StopRequest()) == .inconclusive)
        let video = try #require(try await metadata.video(task.videoID))
        let error = try #require(video.error)
        #expect(video.state == .failed && error.kind == .usage)
        #expect(error.message == "The source was deleted from the raw store: \(video.source.url) does not exist")
        #expect(error.advice?.contains("clairo retry \(video.id)") == true)
        #expect(try await metadata.deadLetters(topic: nil, all: true, limit: 10).isEmpty)
    }

    @Test func aSourceDeletedWhileItIsReadFailsTheJobToo() async throws {
        let task = try await chunk()
        try await perform(failing(.noInput("Reading s3://raw/x: the object does not exist")))
        #expect(try await metadata.job(task.jobID)?.state == .failed)
        #expect(try await now(task).error?.message.hasPrefix("The source was deleted from the raw store") == true)
    }

    @Test func anUnknownProfileFailsTheJob() async throws {
        let task = try await MetadataStoreContract.create([.plan], in: metadata)[0]
        let failure = ClairoError.configuration("Profile gone does not exist")
        let worker = worker(ScriptedExecutor(failing(failure)))
        let claimed = try #require(try await worker.claim([.plan]))
        try await worker.perform(claimed, stop: StopRequest())
        #expect(try await metadata.video(task.videoID)?.state == .failed)
        #expect(try await metadata.video(task.videoID)?.error?.message == failure.message)
    }

    @Test func aResultIsKeptUntilTheDatabaseTakesIt() async throws {
        let task = try await chunk()
        let failed = Event()
        let (plan, metadata) = (plan, metadata)
        let worker = worker(
            ScriptedExecutor { (spec, io, _, _) async throws(ClairoError) in
                let result = try ScriptedExecutor.result(of: spec, io, plan)
                metadata.setAway(true)
                return result
            }, health: DaemonHealth(onError: { _ in failed.happen() }))
        let claimed = try #require(try await worker.claim([.chunk]))
        async let outcome = worker.perform(claimed, stop: StopRequest())
        await failed.wait()
        metadata.setAway(false)
        #expect(try await outcome == .worked)
        #expect(try await now(task).state == .succeeded)
    }

    @Test func aStopEndsTheWaitForTheDatabase() async throws {
        _ = try await chunk()
        let stop = StopRequest()
        let (plan, metadata) = (plan, metadata)
        let worker = worker(
            ScriptedExecutor { (spec, io, _, _) async throws(ClairoError) in
                let result = try ScriptedExecutor.result(of: spec, io, plan)
                metadata.setAway(true)
                return result
            }, health: DaemonHealth(onError: { _ in stop.cancel() }))
        let claimed = try #require(try await worker.claim([.chunk]))
        await #expect { try await worker.perform(claimed, stop: stop) } throws: {
            ($0 as? ClairoError)?.kind == .transient
        }
    }

    // MARK: Stops and lost claims

    @Test func aStopReleasesTheTask() async throws {
        let task = try await chunk()
        let stop = StopRequest()
        try await perform(stop: stop) { (_, _, _, own) async throws(ClairoError) in
            stop.cancel()
            await own.wait()
            throw .cancelled
        }
        let after = try await now(task)
        #expect(after.state == .pending && after.maxAttempts == task.maxAttempts + 1 && after.error == nil)
        #expect(log.words == ["chunk began", "chunk released"])
    }

    @Test func aLostClaimEndsTheTaskAndWritesNothing() async throws {
        let task = try await chunk()
        let begun = Event()
        let worker = worker(
            ScriptedExecutor { (_, _, _, stop) async throws(ClairoError) in
                begun.happen()
                await stop.wait()
                throw .cancelled
            })
        let claimed = try #require(try await worker.claim([.chunk]))
        async let performed = worker.perform(claimed, stop: StopRequest())
        await begun.wait()
        _ = try await metadata.cancelVideo(task.videoID) { _ in [] }
        let before = try await now(task)
        #expect(await !worker.renew(claimed))
        // As the periodic renewal does.
        claimed.lease.lose()
        _ = try await performed
        #expect(try await now(task) == before)
        #expect(log.words == ["chunk began", "chunk lost"])
    }

    @Test func aResultAfterALostClaimIsIgnored() async throws {
        let task = try await chunk()
        let (plan, metadata) = (plan, metadata)
        try await perform { (spec, io, _, _) async throws(ClairoError) in
            _ = try await metadata.cancelVideo(spec.videoID) { _ in [] }
            return try ScriptedExecutor.result(of: spec, io, plan)
        }
        #expect(try await now(task).state == .cancelled)
        #expect(try await now(task).result == nil)
        #expect(log.words.last == "chunk lost")
    }

    /// Its lease still holds, but the database says that its claim is void.
    @Test func theFinishTaskOfAVideoThatIsBeingDeletedPublishesNothing() async throws {
        _ = try await MetadataStoreContract.create([.plan], in: metadata)
        let (plan, metadata) = (plan, metadata)
        let worker = worker(
            ScriptedExecutor { (spec, io, _, _) async throws(ClairoError) in
                guard case .finish = spec.work else { return try ScriptedExecutor.result(of: spec, io, plan) }
                _ = try await VideoDeletion(metadata: metadata).begin(spec.videoID)
                try await onDedicatedThread(name: "publish") { () throws(ClairoError) in
                    try io.output?.put(Data("#EXTM3U".utf8), at: OutputLayout.masterPlaylist)
                }
                return TaskResult()
            })
        while let claimed = try await worker.claim(WorkTask.Kind.allCases) {
            try await worker.perform(claimed, stop: StopRequest())
        }
        #expect(log.words.last == "finish lost")
        #expect(try store.list(prefix: "").allSatisfy { !$0.rawValue.hasSuffix("master.m3u8") })
        #expect(metadata.videos.map(\.state) == [.deleting])
    }

    @Test func theTaskOfADeletedJobIsLost() async throws {
        let task = try await chunk()
        let worker = worker(ScriptedExecutor.succeeding(plan))
        let claimed = try #require(try await worker.claim([.chunk]))
        _ = try await metadata.deleteVideo(task.videoID)
        try await worker.perform(claimed, stop: StopRequest())
        #expect(log.words == ["chunk began", "chunk lost"])
    }
}
