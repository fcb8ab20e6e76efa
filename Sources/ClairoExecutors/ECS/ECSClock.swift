public import ClairoCore
internal import Foundation

/// The clock used while waiting for ECS. Tests inject their own.
public struct ECSClock: Sendable {
    /// Monotonic seconds.
    public var now: @Sendable () -> Double
    /// Blocks the calling thread.
    /// - Returns: Whether the whole time has passed, false after a stop request.
    public var sleep: @Sendable (_ seconds: Double, StopRequest) -> Bool

    public init(
        now: @escaping @Sendable () -> Double = Self.uptime,
        sleep: @escaping @Sendable (_ seconds: Double, StopRequest) -> Bool = Self.wait
    ) {
        self.now = now
        self.sleep = sleep
    }

    private static let begin = ContinuousClock.now

    /// Seconds since this process started, by a clock that is never set.
    @Sendable public static func uptime() -> Double { begin.duration(to: .now) / .seconds(1) }

    /// Waits, and returns false if `stop` was cancelled first. Blocks.
    @Sendable public static func wait(seconds: Double, stop: StopRequest) -> Bool {
        let wake = DispatchSemaphore(value: 0)
        let handler = stop.onCancel { wake.signal() }
        defer { stop.forget(handler) }
        return wake.wait(timeout: .now() + seconds) == .timedOut
    }
}
