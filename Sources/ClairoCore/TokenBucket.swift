/// A token bucket: limits a rate to `burst` events at once and `perSecond` events per second after that.
///
/// It is a plain value without a clock. The owner synchronises access and passes the time in seconds since any fixed
/// moment.
public struct TokenBucket: Sendable, Hashable {
    private let burst: Double
    private let perSecond: Double
    private var tokens: Double
    private var filled: Double

    /// Creates a full bucket.
    /// - Parameter now: The current time.
    public init(burst: Double, perSecond: Double, now: Double) {
        self.burst = burst
        self.perSecond = perSecond
        tokens = burst
        filled = now
    }

    /// Takes a token, if necessary in advance.
    /// - Returns: The seconds to wait until the token is available.
    public mutating func take(at now: Double) -> Double {
        fill(at: now)
        tokens -= 1
        return tokens < 0 ? -tokens / perSecond : 0
    }

    /// Takes a token if one is available.
    /// - Returns: Nil on success, otherwise the seconds until a token is available.
    public mutating func takeIfAvailable(at now: Double) -> Double? {
        fill(at: now)
        guard tokens >= 1 else { return (1 - tokens) / perSecond }
        tokens -= 1
        return nil
    }

    /// Empties the bucket, for example after a reply that requests are too fast.
    public mutating func drain() { tokens = min(tokens, 0) }

    /// Whether the bucket is full.
    public func isFull(at now: Double) -> Bool { tokens + (now - filled) * perSecond >= burst }

    private mutating func fill(at now: Double) {
        tokens = min(burst, tokens + (now - filled) * perSecond)
        filled = now
    }
}
