public import ClairoCore
internal import Foundation
internal import Glibc

/// Runs each task in a child process of this program that has access to nothing but the parent's socket.
///
/// ```
/// parent: credentials, database, network          child: clairo run-task
///   supervisor ── starts, limits, watches ──────►  engine (libav on untrusted media)
///   TaskServer ◄── ranges, segments, progress ───  RemoteSource, RemoteStore      (a socket pair, descriptor 3)
/// ```
///
/// The child has an empty environment, no other descriptors and no terminal. It leads a process group that is killed as
/// a whole, and the kernel kills it when the parent ends. Before it receives its task, it enters the sandbox
/// (`Sandbox`). The outcome of an attempt depends on the child:
///
/// - It crashes, is killed, exceeds a limit or violates the sandbox: `defect`. The cause is the media or Clairo's code,
///   and a retry will most likely fail in the same way. A defect is retried a few times and then dead-lettered.
/// - It makes no progress or takes too long: `defect`, for the same reasons.
/// - It cannot be started for lack of resources, or there is no space for its output: `capacity`.
/// - The kernel kills it because the machine or the container, and not the task's own limit, ran out of memory:
///   `transient`, because the task may be the cause and must not be retried forever.
/// - It reports an error: that error. An exception is a lack of memory, which means that it reached its own limit:
///   `defect`.
/// - It reaches a limit that this process itself was started with: `transient`, and the error names the limit
///   (`InheritedLimit`).
public struct ProcessExecutor: TaskExecutor {
    private let executable: String
    private let arguments: [String]
    private let limits: ProcessLimits
    private let onKill: @Sendable (TaskKill) -> Void

    /// - Parameters:
    ///   - sandbox: The sandbox mode of the child.
    ///   - executable: The program (default: this one).
    ///   - arguments: The arguments of the subcommand that runs a task.
    ///   - onKill: Called for each child that ended without a result.
    public init(
        limits: ProcessLimits = ProcessLimits(), sandbox: SandboxMode = .auto, executable: String = "/proc/self/exe",
        arguments: [String] = ["run-task"], onKill: @escaping @Sendable (TaskKill) -> Void = { _ in }
    ) {
        self.onKill = onKill
        self.executable = executable
        self.arguments = arguments + ["--sandbox", sandbox.rawValue]
        self.limits = limits
    }

    public func run(
        _ spec: TaskSpec, io: TaskIO, observer: TaskObserver, stop: StopRequest
    ) async throws(ClairoError) -> TaskResult {
        try await onDedicatedThread(name: "task") { () throws(ClairoError) in
            try runHere(spec, io: io, observer: observer, stop: stop)
        }
    }

    /// Like `run`, but blocks the calling thread.
    func runHere(
        _ spec: TaskSpec, io: TaskIO, observer: TaskObserver, stop: StopRequest
    ) throws(ClairoError) -> TaskResult {
        try stop.check()
        let limits = limits.withinThisProcess()
        let wake = try WakePipe()
        let (process, socket) = try TaskProcess.start(
            executable, arguments + ["--parent", String(getpid())], limits: limits)
        return try Supervisor(limits: limits, stop: stop, onKill: onKill)
            .run(spec, io: io, observer: observer, in: process, socket: socket, wake: wake)
    }

    /// Starts a child that only enters the sandbox and reports its layers.
    public func sandboxReport() async throws(ClairoError) -> SandboxReport {
        let (executable, limits) = (executable, limits.withinThisProcess())
        let arguments = arguments + ["--parent", String(getpid()), "--tell-sandbox"]
        return try await onDedicatedThread(name: "sandbox") { () throws(ClairoError) in
            try SandboxProbe(limits: limits).run(executable, arguments)
        }
    }
}
