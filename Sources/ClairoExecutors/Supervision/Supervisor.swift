internal import ClairoCore
internal import Foundation
internal import Glibc

/// A running task outside this process, such as a process or a container.
///
/// Used on the supervisor's thread only.
protocol TaskRuntime {
    /// What messages call it, such as `process`.
    static var noun: String { get }
    /// Checks whether it has ended, without waiting. Returns nil while it runs.
    func pollExit() -> TaskExit?
    /// Asks it to end. `kill` follows if it does not end in time.
    func terminate()
    /// Kills it. Called repeatedly until it has ended.
    func kill()
    /// A descriptor that becomes readable when it writes to stderr, or nil if there is none.
    var messages: Int32? { get }
    /// Reads available output from `messages`.
    func readMessages()
    /// The end of its output as one line. Called after it has ended.
    func finalOutput() -> String
}

/// How a task's process or container ended.
enum TaskExit: Equatable, Sendable {
    case exited(Int32)
    case signaled(Int32)
    /// The kernel killed it because it exceeded its memory limit.
    case outOfMemory
    /// It is unknown how it ended, or the cause was outside the task.
    case lost(ClairoError)
}

/// Supervises one task: serves its requests, and kills it when it makes no progress, exceeds its time or is cancelled.
/// Returns its result or the reason for its failure.
struct Supervisor {
    let limits: ProcessLimits
    let stop: StopRequest
    let onKill: @Sendable (TaskKill) -> Void

    /// Why the supervisor killed the task.
    private enum Verdict { case stopped, stalled, tookTooLong, broken }

    /// How long a task may take to exit after it was asked to, or after its last message, before it is killed.
    private static let grace = Duration.seconds(2)
    private static let tick = Duration.milliseconds(250)

    /// Runs the task and returns after its process or container has ended.
    /// - Parameters:
    ///   - socket: The supervisor's end of the connection.
    ///   - wake: Signalled when the process or container has ended.
    func run<Place: TaskRuntime>(
        _ spec: TaskSpec, io: TaskIO, observer: TaskObserver, in place: Place, socket: WireSocket, wake: WakePipe
    ) throws(ClairoError) -> TaskResult {
        let first = try WireMessage(
            .start, head: StartHead(spec: spec, sourceSize: io.source?.size, sourceETag: io.source?.etag))
        let server = TaskServer(
            socket: socket, io: io, observer: observer, work: spec.work, outputLimit: limits.outputBytes)
        let serving = WorkerThread(name: "task-server") {
            server.serve(first)
            wake.signal()
        }
        // A stop request may outlive the task, so it must not retain the pipe.
        let id = stop.onCancel { [weak wake] in wake?.signal(isOver: false) }
        defer { stop.forget(id) }
        let (verdict, ending) = watch(place, server: server, wake: wake)
        socket.shutDown()
        _ = serving.join()
        return try outcome(of: place, ending, verdict: verdict, server: server)
    }

    /// Returns when the process or container has ended.
    private func watch(_ place: some TaskRuntime, server: TaskServer, wake: WakePipe) -> (Verdict?, TaskExit) {
        let begin = ContinuousClock.now
        var verdict: Verdict?
        var killAt: ContinuousClock.Instant?
        var last = begin
        while true {
            if let ending = place.pollExit() { return (verdict, ending) }
            let now = ContinuousClock.now
            // If this process was suspended, the task may have been suspended too, or may have waited for a reply.
            if last.duration(to: now) > .seconds(5) { server.forgiveSilence() }
            last = now
            if let killAt {
                if now >= killAt { place.kill() }
            } else if stop.isCancelled {
                verdict = .stopped
                place.terminate()
                killAt = now + Self.grace
            } else if wake.isSignaled {
                // The connection has ended, so the process or container should end soon.
                if case .broken = server.ending { verdict = .broken }
                if verdict != nil { place.kill() }
                killAt = now + Self.grace
            } else if server.silence > .seconds(limits.stallSeconds) {
                verdict = .stalled
            } else if begin.duration(to: now) > .seconds(limits.wallSeconds) {
                verdict = .tookTooLong
            }
            if killAt == nil, verdict != nil {
                place.kill()
                killAt = now
            }
            place.readMessages()
            wake.wait(or: place.messages, timeout: killAt == nil ? Self.tick : .milliseconds(5))
        }
    }

    private func outcome<Place: TaskRuntime>(
        of place: Place, _ ending: TaskExit, verdict: Verdict?, server: TaskServer
    ) throws(ClairoError) -> TaskResult {
        let subject = "The task's \(Place.noun)"
        switch verdict {
        case .stopped: throw .cancelled
        case .stalled:
            onKill(.stalled)
            throw .crash(
                "\(subject) made no progress for \(Int(limits.stallSeconds)) s and was killed", place.finalOutput())
        case .tookTooLong:
            onKill(.wallTime)
            throw .crash("\(subject) ran for \(Int(limits.wallSeconds)) s and was killed", place.finalOutput())
        case .broken, nil: break
        }
        if let kill = TaskKill(server.ending, ending) { onKill(kill) }
        switch server.ending {
        case .result(let result): return result
        // Media that took over the child must not make the worker wait for a service that works.
        case .failure(let error) where error.kind == .refused && server.hasServed && !server.answered(.refused):
            throw .crash("\(subject) reported a refusal by a service that did not refuse", place.finalOutput())
        case .failure(let error) where error.kind == .capacity && !server.answered(.capacity):
            onKill(.memory)
            throw lackOfMemory(error.message, advice: error.advice)
        case .failure(let error): throw error
        case .broken(let reason): throw .crash("\(subject) sent \(reason)", place.finalOutput())
        case nil: throw error(of: subject, ending, place.finalOutput())
        }
    }

    private func lackOfMemory(_ what: String, advice: String? = nil) -> ClairoError {
        if let inherited = limits.inherited.first(where: \.isMemory) { return inherited.error(what) }
        return ClairoError(
            kind: .defect, exitCode: .software,
            "\(what): the task needs more than its limit of \(limits.memory >> 20) MiB",
            advice: advice ?? "Raise the limit if you trust the source.")
    }

    /// The error of a process or container that ended without a result.
    func error(of subject: String, _ ending: TaskExit, _ messages: String) -> ClairoError {
        switch ending {
        case .signaled(SIGXCPU):
            let what = "\(subject) used more than \(limits.cpuSeconds) s of CPU time"
            return limits.inherited.first { $0.resource == .cpuTime }?.error(what) ?? .crash(what, messages)
        case .signaled(SIGSYS):
            return .crash("\(subject) made a forbidden system call and was killed (SIGSYS)", messages)
        case .signaled(let signal): return crash("\(subject) crashed (signal \(signal))", messages)
        case .exited(ClairoError.ExitCode.temporary.rawValue):
            // The system refused it a resource, such as another thread.
            return .temporary("\(subject) ended without a result: \(messages)")
        case .exited(let status): return crash("\(subject) ended without a result (exit \(status))", messages)
        case .outOfMemory: return lackOfMemory("\(subject) was killed by the kernel")
        case .lost(let error): return error
        }
    }

    /// A crash is a defect, unless this process was started with so little memory that it is the likely reason.
    private func crash(_ what: String, _ messages: String) -> ClairoError {
        let error = ClairoError.crash(what, messages)
        return limits.inherited.first(where: \.mayCrashTasks)?.error(error.message) ?? error
    }
}

extension ClairoError {
    /// - Parameter messages: The end of the process's stderr.
    static func crash(_ what: String, _ messages: String) -> ClairoError {
        .defect(messages.isEmpty ? what : "\(what): \(messages)")
    }
}
