internal import ClairoCore
internal import Foundation
internal import Glibc

/// A place apart from us where one task is done, as its supervisor sees it: a process, a container.
///
/// Belongs to the supervisor's thread.
protocol TaskRuntime {
    /// What messages call it.
    static var noun: String { get }
    /// How it ended; nil while it runs.
    func ending() -> TaskExit?
    /// Asks it to end. What it does not do in time is done to it by `kill`.
    func terminate()
    /// Ends it. Called again and again until it has ended.
    func kill()
    /// What it says as it comes: a descriptor to wait for, or nil where there is none.
    var messages: Int32? { get }
    /// Takes what has come there.
    func readMessages()
    /// The end of what it said, as one line. Called when it has ended.
    func lastWords() -> String
}

/// How a place ended in which a task was done.
enum TaskExit: Equatable, Sendable {
    case exited(Int32)
    case signaled(Int32)
    /// The kernel ended it when it had used up its memory.
    case outOfMemory
    /// Nobody can tell, or be asked, what has become of it.
    case lost(ClairoError)
}

/// Watches one task from its first word to its end: gives it what it asks for, ends it when it gets nowhere, takes too long
/// or is not wanted any more, and says what has become of it.
struct Supervisor {
    let limits: ProcessLimits
    let stop: StopRequest
    let onKill: @Sendable (TaskKill) -> Void

    /// Why a task was ended by us.
    private enum Verdict { case stopped, stalled, tookTooLong, broken }

    /// Between asking and killing, and between its last word and its end.
    private static let grace = Duration.seconds(2)
    private static let tick = Duration.milliseconds(250)

    /// Hands over the task and returns when nothing of it runs any more.
    /// - Parameters:
    ///   - socket: our end of the connection.
    ///   - wake: is signalled by whoever learns that the place has ended.
    func run<Place: TaskRuntime>(
        _ spec: TaskSpec, host: TaskHost, in place: Place, socket: WireSocket, wake: WakePipe
    ) throws(ClairoError) -> TaskResult {
        let first = try WireMessage(
            .start, head: StartHead(spec: spec, sourceSize: host.source.size, sourceETag: host.source.etag))
        let server = TaskServer(socket: socket, host: host, work: spec.work, outputLimit: limits.outputBytes)
        let serving = WorkerThread(name: "task-server") {
            server.serve(first)
            wake.signal()
        }
        // A request to stop may outlive the task: it is not to keep the pipe open.
        let id = stop.onCancel { [weak wake] in wake?.signal(isOver: false) }
        defer { stop.forget(id) }
        let (verdict, ending) = watch(place, server: server, wake: wake)
        socket.shutDown()
        _ = serving.join()
        return try outcome(of: place, ending, verdict: verdict, server: server)
    }

    /// Returns when the place is gone.
    private func watch(_ place: some TaskRuntime, server: TaskServer, wake: WakePipe) -> (Verdict?, TaskExit) {
        let begin = ContinuousClock.now
        var verdict: Verdict?
        var killAt: ContinuousClock.Instant?
        var last = begin
        while true {
            if let ending = place.ending() { return (verdict, ending) }
            let now = ContinuousClock.now
            // If we were stopped ourselves, so may have been the task, or waiting for us.
            if last.duration(to: now) > .seconds(5) { server.forgiveSilence() }
            last = now
            if let killAt {
                if now >= killAt { place.kill() }
            } else if stop.isCancelled {
                verdict = .stopped
                place.terminate()
                killAt = now + Self.grace
            } else if wake.isSignaled {
                // The talk is over; the place is to follow.
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
            throw .crash("\(subject) got nowhere for \(Int(limits.stallSeconds)) s and was ended", place.lastWords())
        case .tookTooLong:
            onKill(.wallTime)
            throw .crash("\(subject) ran for \(Int(limits.wallSeconds)) s and was ended", place.lastWords())
        case .broken, nil: break
        }
        if let kill = TaskKill(server.ending, ending) { onKill(kill) }
        switch server.ending {
        case .result(let result): return result
        case .failure(let error) where error.kind == .capacity && !server.lackedRoom:
            onKill(.memory)
            throw lackOfMemory(error.message, advice: error.advice)
        case .failure(let error): throw error
        case .broken(let reason): throw .crash("\(subject) sent \(reason)", place.lastWords())
        case nil: throw error(of: subject, ending, place.lastWords())
        }
    }

    private func lackOfMemory(_ what: String, advice: String? = nil) -> ClairoError {
        ClairoError(
            kind: .defect, exitCode: .software,
            "\(what): the task needs more than its limit of \(limits.memory >> 20) MiB",
            advice: advice ?? "Give it more memory if you trust its source.")
    }

    /// What to say of a place that ended without a result.
    func error(of subject: String, _ ending: TaskExit, _ messages: String) -> ClairoError {
        switch ending {
        case .signaled(SIGXCPU):
            .crash("\(subject) used more than \(limits.cpuSeconds) s of CPU time", messages)
        case .signaled(SIGSYS):
            .crash("\(subject) made a system call that is forbidden to it, and was ended (SIGSYS)", messages)
        case .signaled(let signal): .crash("\(subject) crashed (signal \(signal))", messages)
        case .exited(let status): .crash("\(subject) ended without a result (exit \(status))", messages)
        case .outOfMemory: lackOfMemory("\(subject) was ended by the kernel")
        case .lost(let error): error
        }
    }
}

extension ClairoError {
    /// - Parameter messages: the end of what the process wrote to stderr.
    static func crash(_ what: String, _ messages: String) -> ClairoError {
        .defect(messages.isEmpty ? what : "\(what): \(messages)")
    }
}
