import ClairoCore
import ClairoExecutors
import ClairoTestSupport
import Foundation

/// A process that does something else than its task (Tests/ClairoMisbehaving).
struct Misbehaving {
    private let executor: any TaskExecutor

    /// - Parameters:
    ///   - target: to what it does it.
    ///   - layers: The only sandbox layers to enter; empty for all layers.
    init(
        _ misbehaviour: String, target: String = "", limits: ProcessLimits = ProcessLimits(),
        sandbox: SandboxMode = .auto, layers: [SandboxLayer] = []
    ) {
        executor = ProcessExecutor(
            limits: limits, sandbox: sandbox, executable: ClairoProcess.misbehaving,
            arguments: Self.arguments(misbehaviour, target: target, layers: layers))
    }

    /// In a place that is given `arguments`.
    init(in executor: any TaskExecutor) { self.executor = executor }

    static func arguments(_ misbehaviour: String, target: String = "", layers: [SandboxLayer] = []) -> [String] {
        ["--misbehave", misbehaviour, "--target", target] + layers.flatMap { ["--layer", $0.rawValue] }
    }

    func run(
        store: any ObjectStore = MemoryStore(), stop: StopRequest = StopRequest()
    ) async throws(ClairoError) -> TaskResult {
        let job = TaskJob(source: MemorySource(Data([1])), name: "x", settings: TranscodeSettings(), output: store)
        // A task that may write.
        return try await executor.run(
            job.spec(.chunk(MetadataSamples.plan, index: 0)), io: job.io, stop: stop)
    }

    /// The error that it ends with; nil where it has a result.
    func error() async -> ClairoError? {
        do throws(ClairoError) {
            _ = try await run()
            return nil
        } catch { return error }
    }
}
