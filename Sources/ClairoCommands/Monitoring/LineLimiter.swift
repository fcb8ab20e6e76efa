internal import Synchronization

/// Limits repeated log lines: the first of equal lines is logged, and then one every five minutes, with the number of
/// lines that were dropped.
///
/// Words with a digit do not make lines different: ids, keys, request ids, numbers and times.
final class LineLimiter: Sendable {
    private struct Series {
        var logged: ContinuousClock.Instant
        var dropped = 0
    }

    static let interval = Duration.seconds(300)
    /// The maximum number of series to remember.
    static let mostSeries = 256

    private let now: @Sendable () -> ContinuousClock.Instant
    private let state = Mutex<[String: Series]>([:])

    /// - Parameter now: A monotonic clock.
    init(now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }) { self.now = now }

    /// Decides whether to log a line.
    /// - Returns: The number of equal lines dropped since the last one that was logged, or nil to drop this line too.
    func admit(_ line: String) -> Int? {
        let (key, now) = (Self.key(of: line), now())
        return state.withLock { state in
            if let known = state[key], known.logged.duration(to: now) < Self.interval {
                state[key]?.dropped += 1
                return nil
            }
            let dropped = state.removeValue(forKey: key)?.dropped ?? 0
            if state.count >= Self.mostSeries, let oldest = state.min(by: { $0.value.logged < $1.value.logged }) {
                state[oldest.key] = nil
            }
            state[key] = Series(logged: now)
            return dropped
        }
    }

    /// Starts all series over, after the cause of some has passed.
    func reset() { state.withLock { $0 = [:] } }

    private static func key(of line: String) -> String {
        line.split(separator: " ").map { $0.contains(where: \.isNumber) ? "#" : $0 }.joined(separator: " ")
    }
}
