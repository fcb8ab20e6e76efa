internal import ClairoCore
internal import Foundation

/// What follows from a failed attempt, by the kind of its error (article Failures in ClairoCore).
enum FailurePolicy {
    enum Verdict: Hashable {
        /// Again after so many seconds.
        case retry(afterSeconds: Double, countsAsAttempt: Bool)
        /// Never again by itself.
        case giveUp(isDeadLetter: Bool)
        /// Hand the task back: somebody asked this worker to stop.
        case release
        /// Hand the task back and end this worker: its settings are wrong, not the task.
        case releaseAndEnd
    }

    /// Defects are tried again in case they were none: a bit that fell over, a worker of another version.
    /// Of the attempts that a task has, so many are not for them: three of five are left. (`maxAttempts` grows with what does
    /// not count: lost workers, lack of room.)
    static let attemptsSparedForDefects = 2
    static let capacityDelay = 30.0
    /// Half a minute each: there has been no room for a night. Then somebody has to look, and the task can be tried again.
    static let mostAttemptsForRoom = 1000
    static let longestDelay = 300.0

    /// - Parameter jitter: 0 to 1, so that many workers that failed together do not come back together.
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
            // A source that is gone is gone for everybody.
            return error.exitCode == .noInput ? .giveUp(isDeadLetter: false) : .releaseAndEnd
        }
    }

    /// 2, 4, 8… seconds, give or take half.
    private static func backOff(_ attempt: Int, _ jitter: Double) -> Double {
        min(pow(2, Double(attempt)), longestDelay) * (0.5 + jitter)
    }
}
