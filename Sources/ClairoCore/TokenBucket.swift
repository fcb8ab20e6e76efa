/// Bounds how often something happens: `burst` times at once, and `perSecond` times a second after that.
///
/// A value without a clock: its owner guards it and says what time it is, in seconds since any fixed moment.
public struct TokenBucket: Sendable, Hashable {
    private let burst: Double
    private let perSecond: Double
    private var tokens: Double
    private var filled: Double

    /// - Parameter now: when it is full.
    public init(burst: Double, perSecond: Double, now: Double) {
        self.burst = burst
        self.perSecond = perSecond
        tokens = burst
        filled = now
    }

    /// Takes a token now, or the next one in advance.
    /// - Returns: seconds to wait until the token is there.
    public mutating func take(at now: Double) -> Double {
        fill(at: now)
        tokens -= 1
        return tokens < 0 ? -tokens / perSecond : 0
    }

    /// Takes a token if there is one.
    /// - Returns: nil where there was one, else the seconds until there is.
    public mutating func takeIfAvailable(at now: Double) -> Double? {
        fill(at: now)
        guard tokens >= 1 else { return (1 - tokens) / perSecond }
        tokens -= 1
        return nil
    }

    /// Empties it: the other side says that requests come too fast.
    public mutating func drain() { tokens = min(tokens, 0) }

    /// Whether it has all its tokens again.
    public func isFull(at now: Double) -> Bool { tokens + (now - filled) * perSecond >= burst }

    private mutating func fill(at now: Double) {
        tokens = min(burst, tokens + (now - filled) * perSecond)
        filled = now
    }
}
