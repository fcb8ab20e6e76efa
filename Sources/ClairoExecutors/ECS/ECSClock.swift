public import ClairoCore
internal import Foundation

/// The clock used while waiting for ECS. Tests inject their own.
public struct ECSClock: Sendable {
    /// Returns seconds of a monotonic clock.
    public var now: @Sendable () -> Double
    /// Blocks the calling thread.
    /// - Returns: True after the whole time, false after a stop request.
    public var sleep: @Sendable (_ seconds: Double, StopRequest) -> Bool

    public init(
        now: @escaping @Sendable () -> Double = Self.uptime,
        sleep: @escaping @Sendable (_ seconds: Double, StopRequest) -> Bool = Self.wait
    ) {
        self.now = now
        self.sleep = sleep
    }

    private static let begin = ContinuousClock.now

    /// Returns monotonic seconds since the first use of this clock.
    @Sendable public static func uptime() -> Double { begin.duration(to: .now) / .seconds(1) }

    /// Waits, and returns false if `stop` was cancelled first. Blocks.
    @Sendable public static func wait(seconds: Double, stop: StopRequest) -> Bool {
        let wake = DispatchSemaphore(value: 0)
        let handler = stop.onCancel { wake.signal() }
        defer { stop.forget(handler) }
        return wake.wait(timeout: .now() + seconds) == .timedOut
    }
}
