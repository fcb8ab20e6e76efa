/// Detects slow senders: those whose average rate over a window is below the minimum.
///
/// Only the time spent waiting for the sender counts, so that a slow store does not make a sender look slow. Times come
/// from a monotonic clock.
struct IngressMeter {
    let bytesPerSecond: Int
    let window: Duration
    private var waited = Duration.zero
    private var bytes = 0
    private var waitingSince: Duration?
    private(set) var isTooSlow = false

    init(bytesPerSecond: Int, window: Duration) {
        self.bytesPerSecond = bytesPerSecond
        self.window = window
    }

    mutating func beginWait(at time: Duration) { waitingSince = time }

    mutating func endWait(at time: Duration, bytes count: Int) {
        if let waitingSince { waited += time - waitingSince }
        waitingSince = nil
        bytes += count
        check(at: time)
    }

    /// Checks the rate. Call periodically.
    /// - Returns: Whether the sender is, or ever was, too slow.
    @discardableResult
    mutating func check(at time: Duration) -> Bool {
        let total = waited + (waitingSince.map { time - $0 } ?? .zero)
        if total >= window {
            if Double(bytes) < Double(bytesPerSecond) * total.seconds { isTooSlow = true }
            (waited, bytes) = (.zero, 0)
            if waitingSince != nil { waitingSince = time }
        }
        return isTooSlow
    }
}
