internal import Dispatch
internal import Synchronization

/// A cancellation token. Any thread may trigger it, and blocking calls notice it at once.
public final class Cancellation: Sendable {
    private struct State {
        var isCancelled = false
        var nextIdentifier = 0
        var handlers: [Int: @Sendable () -> Void] = [:]
    }

    private let state = Mutex(State())

    public init() {}

    /// Whether the token was cancelled.
    public var isCancelled: Bool { state.withLock { $0.isCancelled } }

    /// Cancels all calls that use this token. Takes a lock, so do not call it from a C signal handler.
    public func cancel() {
        state.withLock { state in
            state.isCancelled = true
            for handler in state.handlers.values { handler() }
            state.handlers = [:]
        }
    }

    /// Runs `body`. Calls `handler` if the token is cancelled meanwhile, or at once if it already is.
    /// - Parameter handler: Runs under the token's lock: it must return quickly and must not use this token.
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

    /// Blocks the calling thread for `seconds` or until cancellation.
    /// - Returns: False if cancelled, true after the whole time.
    public func sleep(seconds: Double) -> Bool {
        let wakeUp = DispatchSemaphore(value: 0)
        return notifying({ wakeUp.signal() }) {
            wakeUp.wait(timeout: .now() + seconds) == .timedOut
        }
    }
}
