internal import ClairoCore
internal import Dispatch
internal import Glibc
internal import Synchronization

/// Converts signals to stop requests.
///
/// - An interactive command (`stopping`) ends on SIGINT and SIGTERM, with the exit code for that signal.
/// - A daemon (`runningDaemon`) starts no more work on SIGINT and SIGTERM. It gives running tasks some seconds and then
///   releases them; on SIGUSR1 it finishes them first. The service manager is notified.
///
/// A second SIGINT or SIGTERM ends the process at once.
enum Signals {
    private static let ending = [SIGINT, SIGTERM]

    // MARK: Commands

    /// Runs `body`. If a signal stops it, the error has that signal's exit code.
    /// - Parameter canContinue: Whether running the same command again continues the work.
    static func stopping<R: Sendable>(
        _ stop: StopRequest, canContinue: Bool = true, _ body: () async throws -> R
    ) async throws -> R {
        let received = Received(canContinue: canContinue)
        let handlers = await SignalHandlers.register(ending) { received.handle($0, stop) }
        defer { handlers.cancel() }
        do {
            return try await body()
        } catch let error as ClairoError where error.kind == .cancelled {
            throw received.error
        }
    }

    /// The same as `stopping`, for a body that blocks the calling thread.
    static func stopping<R>(_ stop: StopRequest, blocking body: () throws(ClairoError) -> R) throws(ClairoError) -> R {
        let received = Received(canContinue: true)
        let handlers = SignalHandlers.registerBlocking(ending) { received.handle($0, stop) }
        defer { handlers.cancel() }
        do throws(ClairoError) {
            return try body()
        } catch {
            throw error.kind == .cancelled ? received.error : error
        }
    }

    /// The first signal that a command received.
    private final class Received: Sendable {
        private let number = Mutex<Int32?>(nil)
        private let canContinue: Bool

        init(canContinue: Bool) { self.canContinue = canContinue }

        var error: ClairoError {
            ClairoError(
                kind: .cancelled, exitCode: number.withLock { $0 } == SIGTERM ? .terminated : .interrupted,
                canContinue ? "Stopped; what is finished is kept" : "Stopped",
                advice: canContinue ? "Run the same command again to continue." : nil)
        }

        func handle(_ signal: Int32, _ stop: StopRequest) {
            let isSecond = number.withLock { number in
                defer { number = number ?? signal }
                return number != nil
            }
            if isSecond { _exit(128 + signal) }
            stop.cancel()
        }
    }

    // MARK: Daemons

    /// Seconds from the signal until running tasks are released. Supervisors wait 30 s (ECS) or 90 s (systemd) before
    /// they kill the process.
    private static let grace = 12
    /// Seconds after which the process always ends. Nothing is lost, because the pipeline is crash-safe.
    private static let limit = 19

    /// Runs a daemon, and reports it as ready to the service manager once signals are handled.
    /// - Parameters:
    ///   - finishesTasks: Whether SIGINT and SIGTERM wait for running tasks, like SIGUSR1.
    ///   - status: The status text for the service manager.
    static func runningDaemon<R: Sendable>(
        finishesTasks: Bool, log: PipelineLog, manager: ServiceManager, status: String,
        stop: StopRequest = StopRequest(),
        _ body: (_ drain: StopRequest, _ stop: StopRequest) async throws -> R
    ) async throws -> R {
        let drain = StopRequest()
        let count = Atomic<Int>(0)
        let handlers = await SignalHandlers.register(ending + [SIGUSR1]) { number in
            let ends = number != SIGUSR1
            if ends, count.add(1, ordering: .relaxed).oldValue > 0 { _exit(128 + number) }
            log.note("stopping: no more work is taken")
            // The service manager limits how long a service may stop; SIGUSR1 has no such limit.
            if ends { manager.stopping() } else { manager.status("Finishing its tasks") }
            drain.cancel()
            if ends, !finishesTasks {
                DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(grace)) { stop.cancel() }
                DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(limit)) {
                    log.note("a service does not answer; other workers take over after the lease")
                    _exit(0)
                }
            }
        }
        defer { handlers.cancel() }
        manager.ready(status)
        return try await manager.watching { try await body(drain, stop) }
    }

    // MARK: Servers

    /// Calls `stop` at the first SIGINT or SIGTERM and ends the process at the second. Until this returns, the default
    /// action ends the process.
    static func stoppingServer(_ stop: @escaping @Sendable () -> Void) async -> SignalHandlers {
        let count = Atomic<Int>(0)
        return await SignalHandlers.register(ending) { number in
            if count.add(1, ordering: .relaxed).oldValue > 0 { _exit(128 + number) }
            stop()
        }
    }
}

/// Signal handlers that run on a dispatch queue until they are cancelled.
struct SignalHandlers {
    private let sources: [any DispatchSourceSignal]
    private let numbers: [Int32]
    private let registered = DispatchGroup()

    /// Returns once the handlers are active, because libdispatch registers sources late and loses signals before that.
    static func register(
        _ numbers: [Int32], _ handle: @escaping @Sendable (Int32) -> Void
    ) async -> SignalHandlers {
        let handlers = SignalHandlers(numbers, handle)
        await withCheckedContinuation { continuation in
            handlers.registered.notify(queue: .global()) { continuation.resume() }
        }
        return handlers
    }

    /// The same as `register`, but blocks the calling thread.
    static func registerBlocking(
        _ numbers: [Int32], _ handle: @escaping @Sendable (Int32) -> Void
    ) -> SignalHandlers {
        let handlers = SignalHandlers(numbers, handle)
        handlers.registered.wait()
        return handlers
    }

    /// Returns before the handlers are active.
    private init(_ numbers: [Int32], _ handle: @escaping @Sendable (Int32) -> Void) {
        let registered = registered
        self.numbers = numbers
        sources = numbers.map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { handle(number) }
            registered.enter()
            source.setRegistrationHandler { registered.leave() }
            source.resume()
            return source
        }
    }

    /// Resets the signals to their default action.
    func cancel() {
        for source in sources { source.cancel() }
        for number in numbers { signal(number, SIG_DFL) }
    }
}
