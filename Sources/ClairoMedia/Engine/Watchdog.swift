public import ClairoCore
internal import Foundation

/// Reports work in this process that makes no progress any more.
///
/// A thread that loops forever inside libav cannot be stopped, so whoever gets the report has to end the process. Work
/// in a child process needs no watchdog, because its parent kills it.
public struct Watchdog: Sendable {
    private let limit: Double
    private let onStall: @Sendable (ClairoError) -> Void

    /// The time between two checks in seconds.
    private static let tick = 1.0

    /// - Parameters:
    ///   - seconds: The time without progress after which the work is stuck. Waiting for the source or for a store does
    ///     not count, because both give up by themselves.
    ///   - onStall: Receives the error to end with, on the watchdog's thread.
    public init(seconds: Double, onStall: @escaping @Sendable (ClairoError) -> Void) {
        limit = seconds
        self.onStall = onStall
    }

    /// Watches a job on a thread of its own.
    /// - Parameter source: The name of the source, for the message.
    /// - Returns: Ends the watch.
    func start(_ control: JobControl, source: String) -> () -> Void {
        let end = DispatchSemaphore(value: 0)
        let watchdog = self
        let thread = WorkerThread(name: "watchdog") {
            watchdog.watch(control, source: source) { end.wait(timeout: .now() + $0) == .timedOut }
        }
        return {
            end.signal()
            _ = thread.join()
        }
    }

    /// Returns when the watch ends or the job is stuck.
    /// - Parameter sleep: Waits for some seconds. Returns false to end the watch.
    func watch(_ control: JobControl, source: String, sleep: (Double) -> Bool) {
        var last = control.clock.progress
        // In steps, so that the time in which the process is suspended does not count.
        var silence = 0.0
        while sleep(Self.tick) {
            let progress = control.clock.progress
            let isAlive = progress != last || control.clock.isWaiting
            silence = isAlive ? 0 : silence + Self.tick
            last = progress
            if silence >= limit { return onStall(error(control, source: source)) }
        }
    }

    private func error(_ control: JobControl, source: String) -> ClairoError {
        let steps = control.clock.runningSteps.map(\.rawValue)
        let place = steps.isEmpty ? control.snapshot.phase.rawValue : steps.joined(separator: ", ")
        return .badMedia(
            "\(source): no progress for \(Int(limit)) s in the step \(place); its media cannot be processed",
            advice: "Run without --sandbox off, so that this ends only the process that reads the media.")
    }
}
