public import ClairoCore
internal import Foundation

/// Time as what waits for ECS knows it; a test gives another one.
public struct ECSClock: Sendable {
    /// Seconds since some moment, which never go back.
    public var now: @Sendable () -> Double
    /// Waits on the calling thread.
    /// - Returns: whether all of the time has passed: false where the request to stop came first.
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
