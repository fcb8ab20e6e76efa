internal import Synchronization

/// Wakes tasks that wait for work, within one process. A signal without a waiter is remembered; several count as one.
public final class WakeSignal: Sendable {
    private struct State {
        var isSignaled = false
        var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
        var next = 0
    }

    private let state = Mutex(State())

    public init() {}

    /// Wakes all waiters. Without waiters, the next call to `wait` returns at once.
    public func signal() {
        let waiting = state.withLock { state in
            defer { state.waiting = [:] }
            if state.waiting.isEmpty { state.isSignaled = true }
            return state.waiting.values
        }
        for continuation in waiting { continuation.resume() }
    }

    /// Waits for a signal, for `seconds`, or until the task is cancelled.
    public func wait(seconds: Double) async {
        await withTaskGroup { group in
            group.addTask { await self.wait() }
            group.addTask { try? await Task.sleep(for: .seconds(seconds)) }
            await group.next()
            group.cancelAll()
        }
    }

    private func wait() async {
        let id = state.withLock { state in
            state.next += 1
            return state.next
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    // A cancelled task leaves the signal to the next waiter.
                    if Task.isCancelled { return true }
                    if state.isSignaled {
                        state.isSignaled = false
                        return true
                    }
                    state.waiting[id] = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiting.removeValue(forKey: id) }?.resume()
        }
    }
}
