public import ClairoCore
internal import Foundation
internal import Glibc

/// Runs each task in a child of this very program, which gets its bytes from us and nothing else.
///
/// ```
/// parent: credentials, database, network          child: clairo run-task
///   supervisor ── starts, limits, watches ──────►  engine (libav on media from strangers)
///   TaskServer ◄── ranges, segments, progress ───  RemoteSource, RemoteStore      (a socket pair, descriptor 3)
/// ```
///
/// The child has no environment, no other descriptor and no terminal; it leads a process group, which is killed as a whole,
/// and the kernel ends it with us. Before it gets its task it builds walls around itself (`Sandbox`). What becomes of it is
/// one failed attempt:
///
/// - It crashes, is killed, runs into a limit of its own or against a wall: `defect`. The cause lies in the media or in our code, and the
///   same again is the likeliest outcome; a defect is retried a few times and then dead-lettered.
/// - It does not get on, or takes too long: `defect` for the same reason.
/// - It cannot be started for lack of room, there is no room where it writes, or the kernel ends it because the machine or
///   the container, and not the task's own limit, ran out of memory: `capacity`.
/// - It says itself why it failed: that error as it is, except that lack of memory is its own limit and so a defect.
public struct ProcessExecutor: TaskExecutor {
    private let executable: String
    private let arguments: [String]
    private let limits: ProcessLimits
    private let onKill: @Sendable (TaskKill) -> Void

    /// - Parameters:
    ///   - sandbox: the walls around the child, which it builds itself.
    ///   - executable: the program; without it, this one.
    ///   - arguments: of the subcommand that runs a task.
    ///   - onKill: told of every child that did not end by itself with a result.
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

    /// The same on the thread of the caller, which waits for the end.
    func runHere(
        _ spec: TaskSpec, io: TaskIO, observer: TaskObserver, stop: StopRequest
    ) throws(ClairoError) -> TaskResult {
        try stop.check()
        let wake = try WakePipe()
        let (process, socket) = try TaskProcess.start(
            executable, arguments + ["--parent", String(getpid())], limits: limits)
        return try Supervisor(limits: limits, stop: stop, onKill: onKill)
            .run(spec, io: io, observer: observer, in: process, socket: socket, wake: wake)
    }

    /// Starts a child that builds its walls and does nothing else, and tells which of them stand.
    public func sandboxReport() async throws(ClairoError) -> SandboxReport {
        let (executable, limits) = (executable, limits)
        let arguments = arguments + ["--parent", String(getpid()), "--tell-sandbox"]
        return try await onDedicatedThread(name: "sandbox") { () throws(ClairoError) in
            try SandboxProbe(limits: limits).run(executable, arguments)
        }
    }
}
