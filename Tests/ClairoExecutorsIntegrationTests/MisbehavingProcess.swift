import ClairoCore
import ClairoExecutors
import ClairoTestSupport
import Foundation

/// A process that misbehaves instead of running its task (Tests/ClairoMisbehaving).
struct MisbehavingProcess {
    private let executor: any TaskExecutor

    /// - Parameters:
    ///   - target: The target of the misbehaviour.
    ///   - layers: The only sandbox layers to enter; empty for all layers.
    init(
        _ misbehaviour: String, target: String = "", limits: ProcessLimits = ProcessLimits(),
        sandbox: SandboxMode = .auto, layers: [SandboxLayer] = []
    ) {
        executor = ProcessExecutor(
            limits: limits, sandbox: sandbox, executable: ClairoProcess.misbehaving,
            arguments: Self.arguments(misbehaviour, target: target, layers: layers))
    }

    /// Uses an executor that starts its process with `arguments`.
    init(in executor: any TaskExecutor) { self.executor = executor }

    static func arguments(_ misbehaviour: String, target: String = "", layers: [SandboxLayer] = []) -> [String] {
        ["--misbehave", misbehaviour, "--target", target] + layers.flatMap { ["--layer", $0.rawValue] }
    }

    /// A plan with a chunk of 300 segments of the rung 180p.
    static let plan = Plan.sample(chunks: 1, segmentsPerChunk: 300)

    func run(
        store: any ObjectStore = MemoryStore(), plan: Plan = plan, stop: StopRequest = StopRequest()
    ) async throws(ClairoError) -> TaskResult {
        let job = TaskJob(source: MemorySource(Data([1])), name: "x", settings: TranscodeSettings(), output: store)
        // A task with write permission.
        return try await executor.run(
            job.spec(.chunk(plan, index: 0)), io: job.io, stop: stop)
    }

    /// The error, or nil if there is a result.
    func error() async -> ClairoError? {
        do throws(ClairoError) {
            _ = try await run()
            return nil
        } catch { return error }
    }
}
