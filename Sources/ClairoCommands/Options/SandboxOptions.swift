internal import ArgumentParser
internal import ClairoCore
internal import ClairoExecutors
internal import ClairoMedia
internal import Foundation

/// Whether an interactive command decodes in a sandboxed child process or in its own process.
struct SandboxOptions: ParsableArguments {
    @Option(
        help:
            "Kernel sandbox around the process that reads the media (see clairo doctor): auto uses what this system has and warns about the rest, require refuses to start if anything is missing, off reads the media in this process."
    )
    var sandbox: SandboxMode = .auto

    /// Runs `work`. There is no time limit as long as it makes progress.
    /// - Parameters:
    ///   - log: Receives messages for people, on any thread.
    ///   - progress: Receives the progress of a whole job, on any thread.
    func run(
        _ work: TaskSpec.Work, source: (any ByteSource)? = nil, output: (any ObjectStore)? = nil,
        limits: InputLimits = InputLimits(), stop: StopRequest = StopRequest(),
        log: @escaping @Sendable (String) -> Void,
        progress: @escaping @Sendable (JobProgress) -> Void = { _ in }
    ) async throws(ClairoError) -> TaskResult {
        let spec = TaskSpec(
            taskID: .make(), jobID: .make(), videoID: .make(), attempt: 1, traceID: "", work: work)
        let observer = TaskObserver(update: { update in
            switch update {
            case .progress(let state): progress(state)
            // A child that runs untrusted code may log anything.
            case .note(let text): log(Render.printable(text))
            }
        })
        let executor: any TaskExecutor =
            sandbox == .off
            ? InlineExecutor(engine: MediaTaskEngine(limits: limits))
            : ProcessExecutor(taking: limits, sandbox: sandbox, within: .byHand)
        return try await executor.run(
            spec, io: TaskIO(source: source, output: output), observer: observer, stop: stop)
    }
}

/// The sandbox around the child process that probes sources.
struct IntakeSandboxOptions: ParsableArguments {
    @Option(
        help:
            "Kernel sandbox around the process that probes a source (see clairo doctor): auto uses what this system has and warns about the rest, require refuses to start if anything is missing, off uses none."
    )
    var sandbox: SandboxMode = .auto
}
