public import ClairoCore
internal import Synchronization

/// A clock that only advances while a test's subject sleeps on it.
public final class VirtualClock: Sendable {
    private let time = Mutex(1000.0)
    private let sleeps = Mutex<[Double]>([])

    public init() {}

    /// In seconds.
    public var now: Double { time.withLock { $0 } }

    /// How long each sleep was.
    public var slept: [Double] { sleeps.withLock { $0 } }

    /// - Returns: False if the sleep was cancelled.
    public func sleep(_ seconds: Double, unless stop: StopRequest) -> Bool {
        if stop.isCancelled { return false }
        sleeps.withLock { $0.append(seconds) }
        time.withLock { $0 += seconds }
        return true
    }
}
