internal import ArgumentParser
internal import ClairoCore
internal import ClairoExecutors
internal import ClairoMedia
internal import Foundation

/// Where a command by hand decodes: in a child behind walls, or in its own process.
struct SandboxOptions: ParsableArguments {
    @Option(
        help:
            "The kernel's walls around the process that reads the media (see clairo doctor): auto builds those that this system has and tells which are missing, require does nothing without all of them, off reads it in the process that you started."
    )
    var sandbox: SandboxMode = .auto

    /// Does `work`, within no limit of time but that it gets on.
    /// - Parameter progress: is told how a whole job gets on, from any thread.
    func run(
        _ work: TaskSpec.Work, source: any ByteSource = NoSource(), output: any ObjectStore = NoOutput(),
        limits: InputLimits = InputLimits(), stop: StopRequest = StopRequest(),
        say: @escaping @Sendable (String) -> Void,
        progress: @escaping @Sendable (JobProgress) -> Void = { _ in }
    ) async throws(ClairoError) -> TaskResult {
        let spec = TaskSpec(
            taskID: .make(), jobID: .make(), videoID: .make(), attempt: 1, traceID: "", work: work)
        let host = TaskHost(
            source: source, output: output,
            news: { news in
                switch news {
                case .progress(let state): progress(state)
                // A child in a stranger's hands may say anything.
                case .note(let text): say(Render.printable(text))
                }
            }, progress: { _ in })
        let executor: any TaskExecutor =
            sandbox == .off
            ? InlineExecutor(engine: MediaTaskEngine(limits: limits))
            : ProcessExecutor(taking: limits, sandbox: sandbox, within: .byHand)
        return try await executor.run(spec, host: host, stop: stop)
    }
}

/// Where commands look into what is uploaded: in a child, always.
struct IntakeSandboxOptions: ParsableArguments {
    @Option(
        help:
            "The kernel's walls around the process that looks into a source (see clairo doctor): auto builds those that this system has and tells which are missing, require does nothing without all of them, off builds none."
    )
    var sandbox: SandboxMode = .auto
}

/// The source of work that needs none.
private struct NoSource: ByteSource {
    var size: Int64 { 0 }
    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(ClairoError) -> Int { 0 }
}
