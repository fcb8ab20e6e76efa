/// Finds senders that are too slow: who lets us wait for the whole window and sends less than the rate in that time.
///
/// Only time that is spent waiting for the sender counts, so a slow store is never held against it. Times are since any
/// fixed moment.
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

    /// To be called now and then.
    /// - Returns: whether the sender is too slow; once it was, it stays so.
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
