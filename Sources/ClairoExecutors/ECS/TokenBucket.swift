internal import Synchronization

/// Bounds how often something is done: `burst` times at once, and `rate` times a second after that.
///
/// AWS refills buckets of its own on the account's side; ours is smaller, as other workers and other programs share those
/// (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html: 20 a second for RunTask).
final class TokenBucket: Sendable {
    private struct State {
        var tokens: Double
        var filled: Double
    }

    private let burst: Double
    private let rate: Double
    private let now: @Sendable () -> Double
    private let state: Mutex<State>

    init(burst: Double, rate: Double, now: @escaping @Sendable () -> Double) {
        self.burst = burst
        self.rate = rate
        self.now = now
        state = Mutex(State(tokens: burst, filled: now()))
    }

    /// Takes a turn.
    /// - Returns: seconds to wait before it comes.
    func take() -> Double {
        let now = now()
        return state.withLock { state in
            state.tokens = min(burst, state.tokens + (now - state.filled) * rate)
            state.filled = now
            state.tokens -= 1
            return state.tokens < 0 ? -state.tokens / rate : 0
        }
    }

    /// The other side says that it is too much: the others of this process are to slow down too.
    func drain() { state.withLock { $0.tokens = min($0.tokens, 0) } }
}
