internal import ClairoCore
internal import Foundation

/// Decides what happens after a failed attempt, from the kind of its error (article Failures in ClairoCore).
enum FailurePolicy {
    enum Verdict: Hashable {
        /// Retry after this delay.
        case retry(afterSeconds: Double, countsAsAttempt: Bool)
        /// Fail permanently.
        case giveUp(isDeadLetter: Bool)
        /// Release the task: this worker is stopping.
        case release
        /// Release the task and end this worker, whose settings are wrong.
        case releaseAndEnd
    }

    /// A defect is retried, because its cause may be transient: a flipped bit, or a worker of another version. But the
    /// task is dead-lettered this many attempts before `maxAttempts`, so after three of five by default. (`maxAttempts`
    /// grows with each attempt that does not count: a lost worker, lack of capacity.)
    static let attemptsSparedForDefects = 2
    static let capacityDelay = 30.0
    /// The maximum number of attempts of a task that lacks capacity. At half a minute each, they take more than eight
    /// hours. The task then fails, and an operator can retry it.
    static let mostAttemptsForRoom = 1000
    static let longestDelay = 300.0

    /// - Parameter jitter: 0 to 1. Spreads the retries of workers that failed at the same time.
    static func verdict(on error: ClairoError, task: WorkTask, jitter: Double = .random(in: 0...1)) -> Verdict {
        switch error.kind {
        case .badInput: return .giveUp(isDeadLetter: false)
        case .cancelled: return .release
        case .capacity, .refused:
            guard task.attempt < mostAttemptsForRoom else { return .giveUp(isDeadLetter: true) }
            return .retry(afterSeconds: capacityDelay * (0.5 + jitter), countsAsAttempt: false)
        case .transient:
            guard task.attempt < task.maxAttempts else { return .giveUp(isDeadLetter: true) }
            return .retry(afterSeconds: backOff(task.attempt, jitter), countsAsAttempt: true)
        case .defect:
            guard task.attempt < task.maxAttempts - attemptsSparedForDefects else { return .giveUp(isDeadLetter: true) }
            return .retry(afterSeconds: backOff(task.attempt, jitter), countsAsAttempt: true)
        case .usage:
            // If the source does not exist, no worker can read it.
            return error.exitCode == .noInput ? .giveUp(isDeadLetter: false) : .releaseAndEnd
        }
    }

    /// 2, 4, 8 … seconds, with a jitter of 50 %.
    private static func backOff(_ attempt: Int, _ jitter: Double) -> Double {
        min(pow(2, Double(attempt)), longestDelay) * (0.5 + jitter)
    }
}
