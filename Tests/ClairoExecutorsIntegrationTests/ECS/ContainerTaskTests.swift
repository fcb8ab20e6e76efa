import ClairoCore
import ClairoStorage
import ClairoTestSupport
import Foundation
import Synchronization
import Testing

@testable import ClairoExecutors

/// The container's side of a task on ECS: it obeys the lease, and writes its result once.
@Suite(.sharesMachine) struct ContainerTaskTests {
    let scratch: Scratch
    private let store = MemoryStore()
    private let job: TaskJob

    init() throws {
        scratch = try Scratch()
        job = TaskJob(source: MemorySource(Data([1])), name: "x", settings: TranscodeSettings())
    }

    private var exchange: Exchange { Exchange(store: store, folder: "") }

    private func offer(interval: Double = 0.01) throws {
        let request = TaskSpec.PlanRequest(
            source: SourceFingerprint(name: "x", size: 1, identity: ""), settings: job.settings)
        try exchange.write(
            ExchangeSpec(
                spec: job.spec(.plan(request)), output: "s3://b/out", sourceSize: 1, sourceETag: "e",
                interval: interval), ExchangeSpec.key)
        try exchange.write(ExchangeLease(beat: 0, sourceURL: "http://127.0.0.1/"), ExchangeLease.key)
    }

    /// - Parameter misbehaviour: What the child does instead of its task; nil for the task.
    private func task(_ misbehaviour: String?, clock: ECSClock = ECSClock()) -> ContainerTask {
        let output = MemoryStore()
        let executable = misbehaviour == nil ? ClairoProcess.path : ClairoProcess.misbehaving
        let arguments = misbehaviour.map { MisbehavingProcess.arguments($0) } ?? ["run-task"]
        return ContainerTask(
            ContainerTask.Services(
                exchange: store,
                folder: { _, _, _, _ in ContainerTask.Folder(output: output, files: { [] }) },
                source: { _, _, _, _ in MemorySource(Data("no film".utf8)) },
                executor: { _ in
                    ProcessExecutor(sandbox: .off, executable: executable, arguments: arguments)
                }, environment: [:]), clock: clock)
    }

    private func run(_ task: ContainerTask, stop: StopRequest = StopRequest()) async throws {
        try await onDedicatedThread(name: "container") { try task.run(stop: stop) }
    }

    private var result: ExchangeResult? { get throws { try exchange.read(ExchangeResult.key) } }

    @Test func aFailureIsReportedWithItsKindAndMessage() async throws {
        try offer()
        try await run(task(nil))
        let result = try #require(try result)
        #expect(result.failure?.kind == .badInput && result.result == nil)
        #expect(try exchange.read(ExchangeProgress.key, as: ExchangeProgress.self) != nil)
    }

    @Test func aStoreThatDeniesTheTaskRoleIsReported() async throws {
        try offer()
        let refusal = ClairoError.refused("AccessDenied", advice: "Look at the role.")
        let exchange = exchange
        let task = ContainerTask(
            ContainerTask.Services(
                exchange: store,
                folder: { _, _, _, _ in
                    ContainerTask.Folder(output: FailingStore(error: refusal), files: { [] })
                }, source: { _, _, _, _ throws(ClairoError) in throw refusal },
                executor: { _ in ProcessExecutor(sandbox: .off, executable: ClairoProcess.path) }, environment: [:]))
        try await run(task)
        let result: ExchangeResult? = try exchange.read(ExchangeResult.key)
        #expect(result?.failure?.error == refusal)
    }

    @Test func aDeletedLeaseEndsTheTaskWithoutAResult() async throws {
        try offer()
        let exchange = exchange
        let running = Task { try await run(task("silence")) }
        try await eventually { try exchange.read(ExchangeProgress.key, as: ExchangeProgress.self) != nil }
        try exchange.remove(ExchangeLease.key)
        await #expect(throws: ClairoError.cancelled) { try await running.value }
        #expect(try result == nil)
    }

    @Test func aLeaseThatIsNotRenewedEndsTheTask() async throws {
        try offer()
        let time = Mutex(0.0)
        let clock = ECSClock(
            now: { time.withLock { $0 } },
            sleep: { seconds, stop in
                time.withLock { $0 += 10 }
                return ECSClock.wait(seconds: seconds, stop: stop)
            })
        await #expect(throws: ClairoError.cancelled) { try await run(task("silence", clock: clock)) }
        #expect(time.withLock { $0 } > Exchange.leaseSeconds)
        #expect(try result == nil)
    }

    @Test func aRenewedLeaseKeepsTheTaskRunning() async throws {
        try offer()
        let time = Mutex(0.0)
        let beat = Mutex(0)
        let exchange = exchange
        let stop = StopRequest()
        let clock = ECSClock(
            now: { time.withLock { $0 } },
            sleep: { _, over in
                let number = beat.withLock { beat in
                    beat += 1
                    return beat
                }
                try? exchange.write(ExchangeLease(beat: number, sourceURL: nil), ExchangeLease.key)
                time.withLock { $0 += 50 }
                if number == 10 { stop.cancel() }
                return !over.isCancelled
            })
        await #expect(throws: ClairoError.cancelled) { try await run(task("silence", clock: clock), stop: stop) }
        #expect(beat.withLock { $0 } >= 10)
    }

    @Test func aLateResultDoesNotReplaceAnEarlierOne() async throws {
        try offer()
        let first = ExchangeResult(taskID: job.spec(.probe(name: "")).taskID, attempt: 1, frames: 7)
        try exchange.write(first, ExchangeResult.key)
        try await run(task(nil))
        #expect(try result?.frames == 7)
    }

    @Test func aTaskAbandonedBeforeItBeganEndsAtOnce() async throws {
        await #expect { try await run(task(nil)) } throws: { ($0 as? ClairoError)?.exitCode == .temporary }
        try offer()
        try exchange.remove(ExchangeLease.key)
        await #expect { try await run(task(nil)) } throws: { ($0 as? ClairoError)?.exitCode == .temporary }
    }

    @Test(arguments: ["https://x/spec.json", "s3://b/other.json", "s3://b"])
    func anInvalidTaskURLIsRefused(_ url: String) async throws {
        let outcome = try await ClairoProcess.run("run-task", "--spec", url)
        #expect(outcome.status == 64, "\(outcome)")
    }

    @Test(.enabled(if: ECSStandIn.isAvailable, "moto_server or rclone is not installed"))
    func anInterruptionEndsTheContainerWithoutAResult() async throws {
        let server = try await S3Server.shared(.rclone)
        let bucket = try await server.makeBucket()
        let remote = Exchange(
            store: try S3Store(url: "s3://\(bucket)/x", environment: server.environment), folder: "")
        let missing = try await ClairoProcess.run(
            arguments: ["run-task", "--spec", remote.specURL], environment: server.environment)
        #expect(missing.status == 75, "\(missing)")
        try await onDedicatedThread(name: "another version") { try remote.write(["schema": 99], ExchangeSpec.key) }
        let foreign = try await ClairoProcess.run(
            arguments: ["run-task", "--spec", remote.specURL], environment: server.environment)
        #expect(foreign.status == 78 && foreign.errors.contains("another version of Clairo (schema 99)"), "\(foreign)")
        let film = try Data(contentsOf: try await Clip(seconds: 2).make())
        try await onDedicatedThread(name: "offer") {
            let raw = try S3Store(url: "s3://\(bucket)/raw", environment: server.environment)
            try raw.put(film, at: "source")
            let source = try raw.open("source")
            let request = TaskSpec.PlanRequest(
                source: try SourceFingerprint(of: source, name: "x"), settings: job.settings)
            try remote.write(
                ExchangeSpec(
                    spec: job.spec(.plan(request)), output: "s3://\(bucket)/out", sourceSize: source.size,
                    sourceETag: source.etag, interval: 0.05), ExchangeSpec.key)
            try remote.write(
                ExchangeLease(beat: 0, sourceURL: try source.presignedURL(expiresIn: 3600)), ExchangeLease.key)
        }
        let proxy = try FaultProxy(to: server.port, [FaultProxy.Rule(.stall, "GET", path: "raw/source")])
        scratch.onCleanup { proxy.stop() }
        // Its source stalls, so the task is running when it is stopped.
        try await onDedicatedThread(name: "through the proxy") {
            let raw = try S3Store(
                url: "s3://\(bucket)/raw", environment: S3Server.environment(endpoint: proxy.endpoint))
            let url = try raw.presignedURL(for: .get("source"), expiresIn: 3600)
            try remote.write(ExchangeLease(beat: 1, sourceURL: url), ExchangeLease.key)
        }
        let process = try ClairoProcess.start(
            ["run-task", "--spec", remote.specURL], environment: server.environment)
        _ = await proxy.exchange { $0.fault == .stall }
        process.send(SIGTERM)
        let outcome = try await process.outcome()
        #expect(outcome.status == 143, "\(outcome)")
        #expect(try await ECSFixture.contents(of: remote.store)["result.json"] == nil)
    }
}
