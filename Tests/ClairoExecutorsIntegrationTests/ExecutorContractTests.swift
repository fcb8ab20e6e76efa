import ClairoCore
import ClairoExecutors
import ClairoMedia
import ClairoStorage
import ClairoTestSupport
import Foundation
import Synchronization
import Testing

/// The contract of all executors, whatever is between the worker and the media.
@Suite(.sharesMachine) struct ExecutorContractTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    enum Backend: String, CaseIterable, Sendable {
        case inline, process, docker, ecs

        /// The executors that are available here. `DockerExecutorTests` and `ECSExecutorTests` report missing ones.
        static let here = allCases.filter { backend in
            switch backend {
            case .inline, .process: true
            case .docker: DockerDaemon.isPossible
            case .ecs: ECSStandIn.isAvailable
            }
        }
    }

    /// The executor of a backend, and what it needs.
    private struct Fixture {
        let executor: any TaskExecutor
        /// Where sources and outputs must be. Nil for anywhere.
        let ecs: ECSFixture?

        var runner: TaskJob.Runner {
            let executor = executor
            return { spec, io in try await executor.run(spec, io: io, stop: StopRequest()) }
        }
    }

    private func fixture(_ backend: Backend) async throws -> Fixture {
        switch backend {
        case .inline: return Fixture(executor: InlineExecutor(engine: MediaTaskEngine()), ecs: nil)
        case .process: return Fixture(executor: ProcessExecutor(executable: ClairoProcess.path), ecs: nil)
        case .docker: return Fixture(executor: try await DockerExecutor.underTest(in: scratch), ecs: nil)
        case .ecs:
            let ecs = try await ECSFixture.make(in: scratch)
            return Fixture(executor: try ecs.executor(), ecs: ecs)
        }
    }

    static let settings = TranscodeSettings(
        heights: [180, 96], preset: "ultrafast", segmentSeconds: 2, chunkCPUSeconds: 0.001)

    private func job(
        _ fixture: Fixture, _ clip: Clip, settings: TranscodeSettings = settings
    ) async throws -> TaskJob {
        let source = try await clip.make()
        if let ecs = fixture.ecs {
            return try await ecs.job(Data(contentsOf: source), name: "clip", settings: settings)
        }
        return TaskJob(
            source: try FileByteSource(path: source.path), name: "clip", settings: settings,
            output: DirectoryStore(root: scratch.url("out")))
    }

    @Test(arguments: Backend.here)
    func theTasksOfAJobProduceTheBytesOfAWholeJob(backend: Backend) async throws {
        let fixture = try await fixture(backend)
        let job = try await job(fixture, Clip(seconds: 6))
        let (plan, results) = try await job.run(fixture.runner)
        let whole = TranscodeJob(
            source: job.source, sourceName: "clip", settings: Self.settings,
            store: DirectoryStore(root: scratch.url("whole")))
        let outcome = try await onDedicatedThread(name: "test job") { try whole.run() }
        let made = try await ECSFixture.contents(of: job.output)
        let expected = try contents(below: scratch.path("whole"))
        #expect(made.keys.sorted() == expected.keys.sorted())
        #expect(made.filter { expected[$0.key] != $0.value }.keys.sorted() == [])
        #expect(results.count == plan.chunks.count + plan.tracks.count + 1)
        #expect(results.last?.renditions == outcome.manifest.renditions)
        for result in results {
            #expect(result.usage.wallSeconds > 0 && result.usage.cpuSeconds > 0 && result.usage.peakMemory > 1 << 20)
        }
        // Chunks decode frames. The work of all threads is reported, and the reading thread does one thing at a time.
        let chunks = results.filter { $0.decodedFrames > 0 }
        #expect(chunks.count == plan.chunks.count)
        for usage in chunks.map(\.usage) {
            #expect(Set((usage.steps ?? [:]).keys) == Set(TaskStep.allCases.map(\.rawValue)))
            #expect((usage.steps ?? [:]).values.allSatisfy { $0 > 0 })
            let reading = [TaskStep.read, .decode, .conform].compactMap { usage.seconds(in: $0) }.reduce(0, +)
            #expect(reading <= usage.wallSeconds)
        }
        guard let ecs = fixture.ecs else { return }
        #expect(results.allSatisfy { $0.usage.cpuSeconds == ECSStandIn.cpuSeconds }, "as in the task metadata")
        #expect(results.allSatisfy { $0.usage.peakMemory == ECSStandIn.memory })
        #expect(try await ECSFixture.contents(of: ecs.exchange).isEmpty, "nothing is left in the exchange")
    }

    @Test(arguments: Backend.here)
    func anErrorKeepsItsKindMessageAndAdvice(backend: Backend) async throws {
        let fixture = try await fixture(backend)
        let executor = fixture.executor
        func error(_ spec: TaskSpec, _ io: TaskIO) async -> ClairoError? {
            do throws(ClairoError) {
                _ = try await executor.run(spec, io: io, stop: StopRequest())
                return nil
            } catch { return error }
        }
        let notes = Data("no film".utf8)
        let text =
            if let ecs = fixture.ecs {
                try await ecs.job(notes, name: "notes.txt", settings: Self.settings)
            } else { TaskJob(source: MemorySource(notes), name: "notes.txt", settings: Self.settings) }
        let bad = await error(text.spec(.plan(try text.planRequest)), text.io)
        #expect(bad?.kind == .badInput && bad?.exitCode == .badMedia)
        #expect(bad?.message.contains("notes.txt") == true)

        let job = try await job(fixture, Clip(seconds: 6))
        let (plan, _) = try await job.plan(fixture.runner)
        let unknown = await error(job.spec(.chunk(plan, index: 99)), job.io)
        #expect(unknown?.kind == .defect)

        // Errors of the host's store are passed on, if the task uses that store.
        if backend == .ecs { return }
        var full = job
        let room = ClairoError(kind: .capacity, exitCode: .inputOutput, "No space left", advice: "Free some.")
        full.output = FailingStore(error: room)
        #expect(await error(full.spec(.chunk(plan, index: 0)), full.io) == room)
        let cut = ClairoError.unavailable("The source is away")
        var away = job
        away.source = FailingSource(size: job.source.size, error: cut)
        #expect(await error(away.spec(.track(plan, index: 0)), away.io) == cut)
    }

    @Test(arguments: Backend.here)
    func aStopEndsATaskWithinSeconds(backend: Backend) async throws {
        let settings = TranscodeSettings(preset: "medium", segmentSeconds: 6)
        let fixture = try await fixture(backend)
        let job = try await job(fixture, Clip(width: 1280, height: 720, seconds: 12, audio: .none), settings: settings)
        let (plan, _) = try await job.plan(fixture.runner)
        let stop = StopRequest()
        let stopped = Mutex<ContinuousClock.Instant?>(nil)
        let observer = TaskObserver { _ in
            stopped.withLock { $0 = $0 ?? .now }
            stop.cancel()
        }
        await #expect(throws: ClairoError.cancelled) {
            try await fixture.executor.run(
                job.spec(.chunk(plan, index: 0)), io: job.io, observer: observer, stop: stop)
        }
        let asked = try #require(stopped.withLock { $0 })
        #expect(
            asked.duration(to: .now) < .seconds(120),
            "a machine that does other things too may need longer than one")
        await #expect(throws: ClairoError.cancelled) {
            try await fixture.executor.run(job.spec(.chunk(plan, index: 0)), io: job.io, stop: stop)
        }
    }

    @Test(arguments: Backend.here)
    func progressIncreasesUpToAllFramesOfTheChunk(backend: Backend) async throws {
        let fixture = try await fixture(backend)
        let job = try await job(fixture, Clip(seconds: 6, audio: .none))
        let (plan, _) = try await job.plan(fixture.runner)
        let seen = Mutex<[Int]>([])
        let observer = TaskObserver { frames in seen.withLock { $0.append(frames) } }
        _ = try await fixture.executor.run(
            job.spec(.chunk(plan, index: 0)), io: job.io, observer: observer, stop: StopRequest())
        #expect(seen.withLock { $0.max() } == 100)
        if backend != .inline { #expect(seen.withLock { $0 == $0.sorted() }) }
    }
}

/// A source that can be opened but not read.
struct FailingSource: ByteSource {
    let size: Int64
    let error: ClairoError
    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(ClairoError) -> Int { throw error }
}
