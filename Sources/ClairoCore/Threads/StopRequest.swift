internal import Synchronization

/// A stop request that reaches blocking work on any thread.
public final class StopRequest: Sendable {
    private struct State {
        var isCancelled = false
        var handlers: [Int: @Sendable () -> Void] = [:]
        var next = 0
    }

    private let state = Mutex(State())

    public init() {}

    /// Whether a stop was requested.
    public var isCancelled: Bool { state.withLock { $0.isCancelled } }

    /// Requests a stop. Idempotent.
    public func cancel() {
        let handlers = state.withLock { state in
            defer { state = State(isCancelled: true) }
            return state.handlers.sorted { $0.key < $1.key }
        }
        for (_, handler) in handlers { handler() }
    }

    /// Calls `handler` on a stop, after earlier handlers, or at once if already stopped.
    /// - Returns: An id for `forget`.
    @discardableResult
    public func onCancel(_ handler: @escaping @Sendable () -> Void) -> Int? {
        let id = state.withLock { state -> Int? in
            if state.isCancelled { return nil }
            state.next += 1
            state.handlers[state.next] = handler
            return state.next
        }
        if id == nil { handler() }
        return id
    }

    /// Removes a handler after its work has ended, for stop requests that live much longer.
    public func forget(_ id: Int?) {
        if let id { state.withLock { _ = $0.handlers.removeValue(forKey: id) } }
    }

    public func check() throws(ClairoError) {
        if isCancelled { throw .cancelled }
    }
}
