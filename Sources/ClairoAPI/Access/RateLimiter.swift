internal import ClairoCore
internal import Synchronization

/// Limits each caller's request rate with a token bucket: `burst` requests at once, then `perSecond`.
final class RateLimiter: Sendable {
    private let perSecond: Double
    private let burst: Double
    /// A monotonic clock.
    private let now: @Sendable () -> Duration
    private let buckets = Mutex<[String: TokenBucket]>([:])

    init(perSecond: Double, burst: Double, now: @escaping @Sendable () -> Duration) {
        self.perSecond = perSecond
        self.burst = burst
        self.now = now
    }

    /// Takes one token from the caller's bucket.
    /// - Returns: Nil if a token was available, otherwise the seconds until there is one.
    func admit(_ caller: String) -> Double? {
        let time = now().seconds
        return buckets.withLock { buckets in
            // Bound memory. A full bucket need not be kept, because a new one is full too.
            if buckets.count > 10_000 { buckets = buckets.filter { !$0.value.isFull(at: time) } }
            return buckets[caller, default: TokenBucket(burst: burst, perSecond: perSecond, now: time)]
                .takeIfAvailable(at: time)
        }
    }
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
