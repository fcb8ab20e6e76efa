internal import ClairoCore
internal import Foundation

/// What follows from a failed attempt, by the kind of its error (article Failures in ClairoCore).
enum FailurePolicy {
    enum Verdict: Hashable {
        /// Retry after this delay.
        case retry(afterSeconds: Double, countsAsAttempt: Bool)
        /// Fail permanently.
        case giveUp(isDeadLetter: Bool)
        /// Release the task: this worker is stopping.
        case release
        /// Release the task and end this worker: its settings are wrong, not the task.
        case releaseAndEnd
    }

    /// A defect is retried, because it may be a fluke: a flipped bit, a worker of another version. But it is
    /// dead-lettered this many attempts before the limit, so after three of five. (`maxAttempts` grows with attempts
    /// that do not count: lost workers, lack of capacity.)
    static let attemptsSparedForDefects = 2
    static let capacityDelay = 30.0
    /// At half a minute each, resources have been short for a whole night. The task then fails, and can be retried by
    /// an operator.
    static let mostAttemptsForRoom = 1000
    static let longestDelay = 300.0

    /// - Parameter jitter: 0 to 1. Keeps workers that failed together from retrying together.
    static func verdict(on error: ClairoError, task: WorkTask, jitter: Double = .random(in: 0...1)) -> Verdict {
        switch error.kind {
        case .badInput: return .giveUp(isDeadLetter: false)
        case .cancelled: return .release
        case .capacity:
            guard task.attempt < mostAttemptsForRoom else { return .giveUp(isDeadLetter: true) }
            return .retry(afterSeconds: capacityDelay * (0.5 + jitter), countsAsAttempt: false)
        case .transient:
            guard task.attempt < task.maxAttempts else { return .giveUp(isDeadLetter: true) }
            return .retry(afterSeconds: backOff(task.attempt, jitter), countsAsAttempt: true)
        case .defect:
            guard task.attempt < task.maxAttempts - attemptsSparedForDefects else { return .giveUp(isDeadLetter: true) }
            return .retry(afterSeconds: backOff(task.attempt, jitter), countsAsAttempt: true)
        case .usage:
            // A missing source is missing for all workers.
            return error.exitCode == .noInput ? .giveUp(isDeadLetter: false) : .releaseAndEnd
        }
    }

    /// 2, 4, 8 … seconds, with a jitter of 50 %.
    private static func backOff(_ attempt: Int, _ jitter: Double) -> Double {
        min(pow(2, Double(attempt)), longestDelay) * (0.5 + jitter)
    }
}
