internal import ArgumentParser
internal import ClairoCore
internal import ClairoExecutors
internal import ClairoMedia
internal import Foundation

/// `clairo run-task`: what `ProcessExecutor` and `DockerExecutor` start for each task. It talks to its parent over descriptor 3
/// or over a unix socket, and is of no use by hand. With `--spec` it is what a container on ECS starts with: then it is such a
/// parent itself.
struct RunTaskCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run-task", abstract: "Do one task for the process that started this one.", shouldDisplay: false)

    /// Whose child this is.
    @Option(help: .hidden) var parent: Int32?
    /// In a container: the socket at which the parent waits.
    @Option(help: .hidden) var connect: String?
    /// In a container on ECS: where the worker has put the task, as a URL.
    @Option(help: .hidden) var spec: String?

    @Option(help: .hidden) var sandbox: SandboxMode = .auto

    /// Instead of a task, say which walls stand.
    @Flag(help: .hidden) var tellSandbox = false

    @OptionGroup var limitOptions: LimitOptions

    func validate() throws {
        let isOne = [parent != nil, connect != nil, spec != nil].count { $0 } == 1
        guard isOne else { throw ValidationError("This is for Clairo itself to call.") }
    }

    /// Stays on the thread that it is called on, the process's only one until its walls stand.
    func run() throws {
        if let spec { return try runInContainer(spec) }
        let engine = MediaTaskEngine(limits: limitOptions.limits)
        let report =
            if let connect {
                try TaskChild.enclose(connectingTo: connect, sandbox: sandbox)
            } else {
                TaskChild.enclose(parent: parent ?? 0, sandbox: sandbox)
            }
        if tellSandbox { TaskChild.tell(report) }
        if let refusal = report.refusal(of: sandbox) { TaskChild.fail(refusal) }
        TaskChild(engine: engine, walls: report).serve()
    }

    /// The whole life of a task's container on Amazon ECS.
    /// - Parameter url: of the document that the worker has written.
    private func runInContainer(_ url: String) throws(ClairoError) {
        guard url.hasPrefix("s3://"), let slash = url.lastIndex(of: "/"), url[slash...] == "/spec.json" else {
            throw .usage("--spec is not the URL of a task", advice: "Workers with --executor ecs give it.")
        }
        let stop = StopRequest()
        let task = ContainerTask(
            try ContainerTask.Services(
                exchange: String(url[..<slash]), limits: limitOptions.limits, sandbox: sandbox, stop: stop,
                environment: .process))
        try Signals.stopping(stop, blocking: { () throws(ClairoError) in try task.run(stop: stop) })
    }

    /// The command line that does a task on a source within `limits`.
    static func arguments(_ limits: InputLimits) -> [String] {
        let options: [(String, String)] = [
            ("--max-pixels", "\(limits.maxPixels)"), ("--max-streams", "\(limits.maxStreams)"),
            ("--max-frames", "\(limits.maxFrames)"), ("--max-duration", "\(limits.maxDuration)"),
            ("--probe-size", "\(limits.probeBytes)"),
        ]
        return ["run-task"] + options.flatMap { [$0, $1] }
    }
}
