import ClairoCore
import ClairoTestSupport
import Foundation
import Synchronization
import Testing

@testable import ClairoPipeline

/// When a consumer takes messages and tasks, and when it ends. These tests do not depend on time: an idle slot would
/// poll by itself only after hours.
@Suite struct ConsumerTests {
    private let metadata = MemoryMetadata()
    private let store = MemoryStore()
    private let queue = MemoryQueue()
    private let wakeSignal = WakeSignal()
    private let log = WorkerLog()
    private let reported: ErrorLog
    private let health: DaemonHealth
    private let plan = Plan.sample(chunks: 1, segmentsPerChunk: 1)

    init() {
        let reported = ErrorLog()
        self.reported = reported
        health = DaemonHealth(onError: { reported.note($0) })
    }

    private final class ErrorLog: Sendable {
        private let mutex = Mutex<[ClairoError]>([])
        var errors: [ClairoError] { mutex.withLock { $0 } }
        func note(_ error: ClairoError) { mutex.withLock { $0.append(error) } }
    }

    private func consumer(
        _ kinds: Set<WorkTask.Kind> = [.chunk], executor: (any TaskExecutor)? = nil,
        events: ObjectEventHandler? = nil, _ configure: (inout Consumer.Options) -> Void = { _ in }
    ) -> Consumer {
        var options = Consumer.Options(kinds: kinds, idleSeconds: 36_000, retrySeconds: 0.001)
        configure(&options)
        let start = JobStart(metadata: metadata, policy: QueuePolicy(), messages: JobMessages())
        return Consumer(
            metadata: metadata, queue: queue,
            intake: UploadMessageHandler(metadata: metadata, start: start, events: events),
            worker: Worker(
                Worker.Services(
                    metadata: metadata, output: store, openSource: { _ in MemorySource(Data([1])) },
                    executor: executor ?? ScriptedExecutor.succeeding(plan)),
                owner: "test", leaseSeconds: 3600, health: health, report: { [log] in log.note($0) }),
            options: options, wakeSignal: wakeSignal, health: health)
    }

    private func chunk() async throws -> WorkTask { try await MetadataStoreContract.chunk(of: plan, in: metadata) }

    private func state(_ task: WorkTask) async throws -> WorkTask.State? {
        try await metadata.tasks(of: task.jobID).first { $0.id == task.id }?.state
    }

    /// Waits until the slots of a consumer are idle.
    private func idle(_ slots: Int = 1) async throws {
        try await eventually { queue.waiters(of: Topic.tasks) == slots }
    }

    // MARK: Tasks

    @Test func aTaskMessageWakesAnIdleSlotAndIsDoneOnceTheTaskIsClaimed() async throws {
        let consumer = consumer { $0.once = true }
        async let run: Void = consumer.run(drain: StopRequest(), stop: StopRequest())
        try await idle()
        let task = try await chunk()
        let message = queue.put(Topic.tasks)
        try await run
        #expect(try await state(task) == .succeeded)
        #expect(queue.done == [message])
    }

    @Test func aWakeSignalWakesAnIdleSlotWithoutATaskMessage() async throws {
        let consumer = consumer { $0.once = true }
        async let run: Void = consumer.run(drain: StopRequest(), stop: StopRequest())
        try await idle()
        let task = try await chunk()
        wakeSignal.signal()
        try await run
        #expect(try await state(task) == .succeeded)
    }

    @Test func noTaskMessageIsTakenWhileAllSlotsAreBusy() async throws {
        let (begun, gate, drain) = (Event(), Event(), StopRequest())
        let plan = plan
        let consumer = consumer(
            executor: ScriptedExecutor { (spec, io, _, _) async throws(ClairoError) in
                begun.happen()
                await gate.wait()
                return try ScriptedExecutor.result(of: spec, io, plan)
            })
        let task = try await chunk()
        async let run: Void = consumer.run(drain: drain, stop: StopRequest())
        await begun.wait()
        let message = queue.put(Topic.tasks)
        #expect(queue.waiting == [message] && queue.waiters(of: Topic.tasks) == 0)
        gate.happen()
        // A free slot takes it, finds no task, and marks it as done after its next query.
        try await idle()
        try await eventually { queue.done == [message] }
        drain.cancel()
        try await run
        #expect(try await state(task) == .succeeded)
    }

    @Test func eachSlotRunsItsOwnTask() async throws {
        let tasks = [try await chunk(), try await chunk(), try await chunk()]
        let running = Mutex(0)
        let (all, drain) = (Event(), StopRequest())
        let plan = plan
        let consumer = consumer(
            executor: ScriptedExecutor { (spec, io, _, _) async throws(ClairoError) in
                let count = running.withLock { count in
                    count += 1
                    return count
                }
                if count == 3 { all.happen() }
                await all.wait()
                return try ScriptedExecutor.result(of: spec, io, plan)
            }
        ) { $0.concurrency = 3 }
        async let run: Void = consumer.run(drain: drain, stop: StopRequest())
        await all.wait()
        drain.cancel()
        try await run
        for task in tasks { #expect(try await state(task) == .succeeded) }
    }

    // MARK: Stopping

    @Test func aDrainFinishesRunningTasksAndClaimsNoOthers() async throws {
        let (begun, gate, drain) = (Event(), Event(), StopRequest())
        let plan = plan
        let consumer = consumer(
            executor: ScriptedExecutor { (spec, io, _, _) async throws(ClairoError) in
                begun.happen()
                await gate.wait()
                return try ScriptedExecutor.result(of: spec, io, plan)
            })
        let (first, second) = (try await chunk(), try await chunk())
        async let run: Void = consumer.run(drain: drain, stop: StopRequest())
        await begun.wait()
        drain.cancel()
        gate.happen()
        try await run
        #expect(try await state(first) == .succeeded)
        #expect(try await state(second) == .pending)
    }

    @Test func aStopReleasesRunningTasks() async throws {
        let (begun, stop) = (Event(), StopRequest())
        let consumer = consumer(
            executor: ScriptedExecutor { (_, _, _, own) async throws(ClairoError) in
                begun.happen()
                await own.wait()
                throw .cancelled
            })
        let task = try await chunk()
        async let run: Void = consumer.run(drain: StopRequest(), stop: stop)
        await begun.wait()
        stop.cancel()
        try await run
        #expect(try await state(task) == .pending)
        #expect(log.words == ["chunk began", "chunk released"])
    }

    @Test func untilIdleEndsWhenNoTasksAreLeft() async throws {
        let task = try await chunk()
        let kinds = Set(WorkTask.Kind.allCases)
        try await consumer(kinds) { $0.untilIdle = true }.run(drain: StopRequest(), stop: StopRequest())
        #expect(try await metadata.job(task.jobID)?.state == .succeeded)
    }

    @Test func anUnavailableDatabaseIsReportedAndRetried() async throws {
        let task = try await chunk()
        metadata.setAway(true)
        let consumer = consumer { $0.once = true }
        async let run: Void = consumer.run(drain: StopRequest(), stop: StopRequest())
        try await eventually { !reported.errors.isEmpty }
        metadata.setAway(false)
        try await run
        #expect(reported.errors.allSatisfy { $0.kind == .transient })
        #expect(try await state(task) == .succeeded)
    }

    // MARK: Refusals

    /// An executor whose services refuse until the event happens.
    private func refused(
        until mended: Event, with refusal: ClairoError = .refused("AccessDenied"), count: @escaping @Sendable () -> Void
    ) -> ScriptedExecutor {
        ScriptedExecutor { [plan] (spec, io, _, _) async throws(ClairoError) in
            if mended.hasHappened { return try ScriptedExecutor.result(of: spec, io, plan) }
            count()
            throw refusal
        }
    }

    @Test(arguments: WorkerTests.refusals)
    func aRefusalNeitherFailsAJobNorEndsTheConsumerWhichGoesOnWhenItIsMended(_ refusal: ClairoError) async throws {
        let (mended, drain) = (Event(), StopRequest())
        let attempts = Mutex(0)
        let consumer = consumer(
            executor: refused(until: mended, with: refusal) { attempts.withLock { $0 += 1 } })
        let tasks = [try await chunk(), try await chunk(), try await chunk()]
        async let run: Void = consumer.run(drain: drain, stop: StopRequest())
        try await eventually { attempts.withLock { $0 } >= 3 }
        #expect(health.blockages[.run] == refusal)
        for task in tasks { #expect(try await metadata.job(task.jobID)?.state == .running) }
        mended.happen()
        try await eventually {
            // Idle slots poll only when they are woken, and tasks wait for up to some seconds.
            for task in tasks { metadata.makeDue(task.id) }
            wakeSignal.signal()
            for task in tasks {
                if try await state(task) != .succeeded { return false }
            }
            return health.blockages.isEmpty
        }
        drain.cancel()
        try await run
    }

    @Test func aBlockedConsumerDoesNotTakeEveryTaskOfTheQueue() async throws {
        let (mended, drain) = (Event(), StopRequest())
        let attempts = Mutex(0)
        let consumer = consumer(executor: refused(until: mended) { attempts.withLock { $0 += 1 } }) {
            $0.concurrency = 4
            // No second probe during this test.
            $0.retrySeconds = 36_000
        }
        for _ in 0..<50 { _ = try await chunk() }
        async let run: Void = consumer.run(drain: drain, stop: StopRequest())
        // Each slot may have begun a task before the first one was refused, and one probe follows.
        try await eventually { attempts.withLock { $0 } >= 2 && health.blockages[.run] != nil }
        drain.cancel()
        try await run
        #expect(attempts.withLock { $0 } <= 5)
    }

    @Test func aRefusingDatabaseIsWaitedFor() async throws {
        let task = try await chunk()
        let refusal = ClairoError.refused("The MariaDB server is running with the --read-only option")
        metadata.setAway(true, with: refusal)
        let consumer = consumer { $0.once = true }
        async let run: Void = consumer.run(drain: StopRequest(), stop: StopRequest())
        try await eventually { health.blockages[.claim] == refusal }
        metadata.setAway(false)
        try await run
        #expect(try await state(task) == .succeeded)
        #expect(health.blockages.isEmpty)
    }

    @Test func anUploadMessageIsKeptWhileTheDatabaseRefuses() async throws {
        let drain = StopRequest()
        let video = MetadataSamples.video()
        #expect(try await metadata.register(video, message: MetadataSamples.message(of: video.id), upload: nil))
        metadata.setAway(true, with: .refused("read-only"))
        let message = queue.put(UploadMessage.topic, try JSON.encode(UploadMessage(video), pretty: false))
        let consumer = consumer([.plan])
        async let run: Void = consumer.run(drain: drain, stop: StopRequest())
        try await eventually { health.blockages[.intake] != nil }
        #expect(queue.done.isEmpty)
        metadata.setAway(false)
        try await eventually { queue.done.map(\.payload) == [message.payload] }
        drain.cancel()
        try await run
        // If the database came back between the two, the message was postponed.
        let postponed = metadata.messages.count { $0.headers[ReceivedMessage.Header.intakeAttempt] != nil }
        #expect(try await metadata.jobs(of: video.id).count + postponed == 1)
        #expect(try await metadata.deadLetters(topic: nil, all: true, limit: 10).isEmpty)
    }

    @Test func aRefusalEndsACommandThatAPersonWaitsFor() async throws {
        let refusal = ClairoError.refused("no such bucket", exitCode: .configuration)
        let consumer = consumer(executor: refused(until: Event(), with: refusal) {}) { $0.endsWhenRefused = true }
        let task = try await chunk()
        await #expect(throws: refusal) { try await consumer.run(drain: StopRequest(), stop: StopRequest()) }
        #expect(try await state(task) == .pending)
    }

    // MARK: Uploads

    @Test func anUploadMessageStartsAJobAndItsPlanTaskRuns() async throws {
        let video = MetadataSamples.video()
        #expect(try await metadata.register(video, message: MetadataSamples.message(of: video.id), upload: nil))
        let message = queue.put(UploadMessage.topic, try JSON.encode(UploadMessage(video), pretty: false))
        try await consumer([.plan]) { $0.once = true }.run(drain: StopRequest(), stop: StopRequest())
        let job = try #require(try await metadata.jobs(of: video.id).first)
        #expect(job.plan == plan && job.state == .running)
        #expect(queue.done == [message])
    }

    @Test func anUnreadableMessageIsDeadLetteredAndReported() async throws {
        let drain = StopRequest()
        let consumer = consumer([.plan])
        async let run: Void = consumer.run(drain: drain, stop: StopRequest())
        let message = queue.put(Topic.uploads, Data("garbage".utf8))
        try await eventually { queue.done == [message] }
        drain.cancel()
        try await run
        #expect(try await metadata.deadLetters(topic: nil, all: true, limit: 10).map(\.payload) == [message.payload])
        #expect(reported.errors.count == 1)
    }

    private struct NoProber: MediaProber {
        func probe(_ source: any ByteSource, name: String, profile: String) throws(ClairoError) -> MediaInfo {
            throw .defect("Nothing is probed here")
        }
    }

    @Test func anUploadMessageDoesNotWaitForEventsOfABucketThatDoesNotAnswer() async throws {
        let (drain, stop) = (StopRequest(), StopRequest())
        let asked = Mutex(0)
        let events = ObjectEventHandler(
            ownStores: [], metadata: metadata, prober: NoProber(),
            openBucket: { (_, requests) throws(ClairoError) in
                asked.withLock { $0 += 1 }
                let end = DispatchSemaphore(value: 0)
                requests.onCancel { end.signal() }
                end.wait()
                throw .cancelled
            }, stop: stop, answerSeconds: 36_000)
        let video = MetadataSamples.video()
        #expect(try await metadata.register(video, message: MetadataSamples.message(of: video.id), upload: nil))
        // More than are handled at once.
        for number in 0..<6 {
            queue.put(Topic.uploads, Data(UploadDialectTests.bridge(key: "\(number).mp4").utf8))
        }
        let message = queue.put(Topic.uploads, try JSON.encode(UploadMessage(video), pretty: false))
        let consumer = consumer([.plan], events: events)
        async let run: Void = consumer.run(drain: drain, stop: StopRequest())
        try await eventually { queue.done == [message] && asked.withLock { $0 } == 4 }
        #expect(try await metadata.jobs(of: video.id).count == 1)
        drain.cancel()
        stop.cancel()
        try await run
        #expect(queue.waiting.count == 6)
    }

    @Test func aConsumerOfOtherKindsTakesNoUploadMessages() async throws {
        let drain = StopRequest()
        let consumer = consumer([.chunk])
        async let run: Void = consumer.run(drain: drain, stop: StopRequest())
        let message = queue.put(Topic.uploads, Data("garbage".utf8))
        try await idle()
        #expect(queue.waiting == [message])
        drain.cancel()
        try await run
    }
}
