internal import Synchronization

/// A token bucket per caller: a burst of `burst` requests, then `perSecond`.
final class RateLimiter: Sendable {
    private struct Bucket {
        var tokens: Double
        var filledAt: Duration
    }

    private let perSecond: Double
    private let burst: Double
    /// A monotonic clock.
    private let now: @Sendable () -> Duration
    private let buckets = Mutex<[String: Bucket]>([:])

    init(perSecond: Double, burst: Double, now: @escaping @Sendable () -> Duration) {
        self.perSecond = perSecond
        self.burst = burst
        self.now = now
    }

    /// Takes one token from the caller's bucket.
    /// - Returns: Nil if a token was available, otherwise the seconds until there is one.
    func admit(_ caller: String) -> Double? {
        let time = now()
        return buckets.withLock { buckets in
            if buckets.count > 10_000 { buckets = buckets.filter { fill($0.value, at: time).tokens < burst } }
            var bucket = fill(buckets[caller] ?? Bucket(tokens: burst, filledAt: time), at: time)
            defer { buckets[caller] = bucket }
            guard bucket.tokens >= 1 else { return (1 - bucket.tokens) / perSecond }
            bucket.tokens -= 1
            return nil
        }
    }

    private func fill(_ bucket: Bucket, at time: Duration) -> Bucket {
        let elapsed = (time - bucket.filledAt).seconds
        return Bucket(tokens: min(burst, bucket.tokens + elapsed * perSecond), filledAt: time)
    }
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
