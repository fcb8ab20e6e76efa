internal import Synchronization

/// The calls of one owner that run on threads of their own and have not ended.
///
/// A call that is still running after its deadline hangs in librdkafka, and so does its thread, which cannot be stopped.
/// No new call begins until it has ended, so the number of such threads stays bounded.
final class CallsInProgress: Sendable {
    private struct State {
        var next = 0
        var deadlines: [Int: ContinuousClock.Instant] = [:]
    }

    private let state = Mutex(State())

    /// - Returns: The number of the call to end it with, or nil if another call has passed its deadline.
    func begin(deadline: ContinuousClock.Instant, now: ContinuousClock.Instant = .now) -> Int? {
        state.withLock { state in
            guard state.deadlines.values.allSatisfy({ now < $0 }) else { return nil }
            state.next += 1
            state.deadlines[state.next] = deadline
            return state.next
        }
    }

    func end(_ call: Int) { state.withLock { _ = $0.deadlines.removeValue(forKey: call) } }
}
