/// The minimum rate of a sender. It rises with the time that the server has waited for the sender.
public struct MinimumRate: Sendable, Hashable {
    private struct Step: Sendable, Hashable {
        var seconds: Double
        var bytesPerSecond: Int
    }

    private let steps: [Step]

    /// 8 KiB/s, after five minutes 12 KiB/s, after a quarter of an hour 16 KiB/s.
    public static let standard = MinimumRate(steps: [
        Step(seconds: 0, bytesPerSecond: 8 << 10), Step(seconds: 300, bytesPerSecond: 12 << 10),
        Step(seconds: 900, bytesPerSecond: 16 << 10),
    ])

    /// A rate that does not rise.
    public init(constant bytesPerSecond: Int) { steps = [Step(seconds: 0, bytesPerSecond: bytesPerSecond)] }

    private init(steps: [Step]) { self.steps = steps }

    /// - Parameter seconds: How long the server has waited for the sender.
    func bytesPerSecond(after seconds: Double) -> Int { steps.last { $0.seconds <= seconds }?.bytesPerSecond ?? 0 }
}

/// Measures the rate of a sender, and detects slow ones: those whose average rate over a window is below the minimum.
///
/// Only the time spent waiting for the sender counts, so that a slow store does not make a sender look slow. Times come
/// from a monotonic clock.
struct IngressMeter {
    private struct Span {
        var waited = Duration.zero
        var bytes = 0
    }

    /// The least, and half of the most, waiting time that `recentRate` is an average over.
    private static let recentTime = Duration.seconds(5)

    let minimum: MinimumRate
    let window: Duration
    private var current = Span()
    /// The time waited in earlier windows.
    private var earlier = Duration.zero
    private var recent = Span()
    private var beforeRecent = Span()
    private var waitingSince: Duration?
    /// Waiting time before this moment is counted.
    private var counted = Duration.zero
    private(set) var isTooSlow = false

    init(minimum: MinimumRate, window: Duration) {
        self.minimum = minimum
        self.window = window
    }

    mutating func beginWait(at time: Duration) { (waitingSince, counted) = (time, time) }

    mutating func endWait(at time: Duration, bytes count: Int) {
        countWait(until: time)
        waitingSince = nil
        current.bytes += count
        recent.bytes += count
        endWindow()
    }

    /// How long the sender has been silent while the server waits for it.
    func silence(at time: Duration) -> Duration { waitingSince.map { time - $0 } ?? .zero }

    /// Checks the rate. Call periodically.
    /// - Returns: Whether the sender is, or ever was, too slow.
    @discardableResult
    mutating func check(at time: Duration) -> Bool {
        countWait(until: time)
        endWindow()
        return isTooSlow
    }

    /// The average rate in bytes per second over the last five to ten seconds of waiting, or nil before that.
    mutating func recentRate(at time: Duration) -> Double? {
        countWait(until: time)
        let waited = recent.waited + beforeRecent.waited
        guard waited >= Self.recentTime else { return nil }
        return Double(recent.bytes + beforeRecent.bytes) / waited.seconds
    }

    private mutating func countWait(until time: Duration) {
        guard waitingSince != nil, time > counted else { return }
        current.waited += time - counted
        recent.waited += time - counted
        counted = time
        if recent.waited >= Self.recentTime { (beforeRecent, recent) = (recent, Span()) }
    }

    private mutating func endWindow() {
        guard current.waited >= window else { return }
        earlier += current.waited
        let least = minimum.bytesPerSecond(after: earlier.seconds)
        if Double(current.bytes) < Double(least) * current.waited.seconds { isTooSlow = true }
        current = Span()
    }
}
