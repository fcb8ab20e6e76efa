internal import Dispatch
internal import Synchronization

/// A wish to stop that any thread may utter once and that blocking calls notice at once.
public final class Cancellation: Sendable {
    private struct State {
        var isCancelled = false
        var nextIdentifier = 0
        var handlers: [Int: @Sendable () -> Void] = [:]
    }

    private let state = Mutex(State())

    public init() {}

    public var isCancelled: Bool { state.withLock { $0.isCancelled } }

    /// Ends what listens to this token. Not for use inside a C signal handler, for it takes a lock.
    public func cancel() {
        state.withLock { state in
            state.isCancelled = true
            for handler in state.handlers.values { handler() }
            state.handlers = [:]
        }
    }

    /// Calls `handler` on cancellation, at once if that has happened already, for as long as `body` runs and no longer.
    /// - Parameter handler: quick, and not a user of this token: it runs under the token's lock.
    public func notifying<R>(_ handler: @escaping @Sendable () -> Void, while body: () throws -> R) rethrows -> R {
        let identifier = state.withLock { state in
            if state.isCancelled { handler() }
            state.nextIdentifier += 1
            state.handlers[state.nextIdentifier] = handler
            return state.nextIdentifier
        }
        defer { state.withLock { _ = $0.handlers.removeValue(forKey: identifier) } }
        return try body()
    }

    /// Sleeps on the calling thread, but not beyond cancellation.
    /// - Returns: whether the whole time has passed.
    public func sleep(seconds: Double) -> Bool {
        let wakeUp = DispatchSemaphore(value: 0)
        return notifying({ wakeUp.signal() }) {
            wakeUp.wait(timeout: .now() + seconds) == .timedOut
        }
    }
}
