internal import Synchronization

/// A one-time event that tasks await, each with its own timeout.
final class Signal: Sendable {
    private struct State {
        var isSet = false
        var nextWaiter = 0
        var waiters: [Int: CheckedContinuation<Bool, Never>] = [:]
    }

    private let state = Mutex(State())

    func set() {
        let waiters = state.withLock { state in
            state.isSet = true
            defer { state.waiters = [:] }
            return state.waiters
        }
        for waiter in waiters.values { waiter.resume(returning: true) }
    }

    /// - Returns: Whether the event happened within `limit`.
    func wait(_ limit: Duration) async -> Bool {
        let number = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        // The timer may outlive the wait, by at most `limit`; it then finds no waiter.
        let timer = Task { [self] in
            try? await Task.sleep(for: limit)
            state.withLock { $0.waiters.removeValue(forKey: number) }?.resume(returning: false)
        }
        defer { timer.cancel() }
        return await withCheckedContinuation { continuation in
            let isSet = state.withLock { state in
                if !state.isSet { state.waiters[number] = continuation }
                return state.isSet
            }
            if isSet { continuation.resume(returning: true) }
        }
    }
}
