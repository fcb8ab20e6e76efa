internal import ClairoCore
internal import ClairoExecutors
internal import ClairoMedia
internal import Glibc

/// Runs one task for a command, without a pipeline and its settings: in a sandboxed child process, or in this process if
/// the sandbox is off.
struct CommandTask: Sendable {
    private let executor: any TaskExecutor

    init(sandbox: SandboxMode, limits: InputLimits = InputLimits()) {
        if sandbox == .off {
            executor = InlineExecutor(engine: MediaTaskEngine(limits: limits, watchdog: Self.watchdog))
        } else {
            executor = ProcessExecutor(taking: limits, sandbox: sandbox, within: .byHand)
        }
    }

    /// Ends this process, as the sandbox's parent kills its child: a thread that loops in libav ends in no other way.
    private static var watchdog: Watchdog {
        Watchdog(seconds: ProcessLimits.byHand.stallSeconds) { error in
            let environment = CommandEnvironment.process
            // The line of a progress bar.
            if environment.isTerminal { environment.error("\r\u{1B}[K") }
            _exit(ClairoCommand.report(error, environment))
        }
    }

    /// Runs `work`. There is no time limit as long as it makes progress.
    /// - Parameters:
    ///   - log: Receives messages for people, on any thread.
    ///   - progress: Receives the progress of a whole job, on any thread.
    func run(
        _ work: TaskSpec.Work, source: (any ByteSource)? = nil, output: (any ObjectStore)? = nil,
        stop: StopRequest = StopRequest(), log: @escaping @Sendable (String) -> Void,
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
        return try await executor.run(
            spec, io: TaskIO(source: source, output: output), observer: observer, stop: stop)
    }
}
