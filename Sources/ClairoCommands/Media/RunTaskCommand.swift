internal import ArgumentParser
internal import ClairoCore
internal import ClairoExecutors
internal import ClairoMedia
internal import ClairoStorage
internal import Foundation

/// `clairo run-task`: the process that `ProcessExecutor` and `DockerExecutor` start for each task. It communicates with
/// its parent over descriptor 3 or a Unix socket, and is not for interactive use. With `--spec` it is the main process
/// of a container on ECS, and starts such a child itself.
struct RunTaskCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run-task", abstract: "Do one task for the process that started this one.", shouldDisplay: false)

    /// The process id of the parent.
    @Option(help: .hidden) var parent: Int32?
    /// In a container: the socket that the parent listens on.
    @Option(help: .hidden) var connect: String?
    /// In a container on ECS: the URL of the task's document.
    @Option(help: .hidden) var spec: String?

    @Option(help: .hidden) var sandbox: SandboxMode = .auto

    /// Report the sandbox instead of running a task.
    @Flag(help: .hidden) var tellSandbox = false

    @OptionGroup var limitOptions: LimitOptions

    func validate() throws {
        let isOne = [parent != nil, connect != nil, spec != nil].count { $0 } == 1
        guard isOne else { throw ValidationError("Only Clairo itself calls this command.") }
    }

    /// Runs on the calling thread, which is the only thread of the process until the sandbox is complete.
    func run() throws {
        if let spec { return try runInContainer(spec) }
        let engine = MediaTaskEngine(limits: limitOptions.limits)
        // The sandbox denies access to the libraries' files.
        let loading = Result { () throws(ClairoError) in try MediaTaskEngine.loadLibraries() }
        // A worker asks for the report when it starts. Without the libraries it must not take tasks.
        if tellSandbox { try loading.get() }
        let report =
            if let connect {
                try TaskChild.enclose(connectingTo: connect, sandbox: sandbox)
            } else {
                TaskChild.enclose(parent: parent ?? 0, sandbox: sandbox)
            }
        if tellSandbox { TaskChild.tell(report) }
        if let refusal = report.refusal(of: sandbox) {
            // This machine is at fault, not the task.
            TaskChild.fail(.refused(refusal.message, exitCode: refusal.exitCode, advice: refusal.advice))
        }
        if case .failure(let error) = loading { TaskChild.fail(error) }
        TaskChild(engine: engine, sandbox: report).serve()
    }

    /// Runs a task in its container on Amazon ECS.
    /// - Parameter url: The URL of the document that the worker wrote.
    private func runInContainer(_ url: String) throws(ClairoError) {
        guard StoreURL.isS3(url), let slash = url.lastIndex(of: "/"), url[slash...] == "/spec.json" else {
            throw .usage("--spec is not the URL of a task", advice: "Workers with --executor ecs give it.")
        }
        let stop = StopRequest()
        let task = ContainerTask(
            try ContainerTask.Services(
                exchange: String(url[..<slash]), limits: limitOptions.limits, sandbox: sandbox, stop: stop,
                environment: .process))
        try Signals.stopping(stop, blocking: { () throws(ClairoError) in try task.run(stop: stop) })
    }

    /// The arguments for running a task on a source within `limits`.
    static func arguments(_ limits: InputLimits) -> [String] {
        let options: [(String, String)] = [
            ("--max-pixels", "\(limits.maxPixels)"), ("--max-streams", "\(limits.maxStreams)"),
            ("--max-frames", "\(limits.maxFrames)"), ("--max-duration", "\(limits.maxDuration)"),
            ("--max-cpu-hours", "\(limits.maxCPUHours)"), ("--max-gap", "\(limits.maxGap)"),
            ("--probe-size", "\(limits.probeBytes)"),
        ]
        return ["run-task"] + options.flatMap { [$0, $1] }
    }
}
