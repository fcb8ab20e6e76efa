internal import ClairoCore

/// Decides what happens after a failed attempt, from the kind of its error (article Failures in ClairoCore).
enum FailurePolicy {
    enum Verdict: Hashable {
        /// Retry after this delay.
        case retry(afterSeconds: Double, countsAsAttempt: Bool)
        /// Fail permanently.
        case giveUp(isDeadLetter: Bool)
        /// Release the task: this worker is stopping.
        case release
    }

    /// A defect is retried, because its cause may be transient: a flipped bit, or a worker of another version. But the
    /// task is dead-lettered this many attempts before `maxAttempts`, so after three of five by default. (`maxAttempts`
    /// grows with each attempt that does not count: a lost worker, lack of capacity, a refusal, an outage.)
    static let attemptsSparedForDefects = 2
    /// The maximum number of attempts of a task that lacks capacity or a service, in case the task itself is too large
    /// for every worker, or names a host that does not exist. At up to five minutes each, they take days. The task then
    /// fails, and an operator can retry it.
    static let mostAttemptsForServices = 1000
    /// The longest delay in seconds, before jitter.
    static let longestDelay = 300.0

    /// - Parameter jitter: 0 to 1. Spreads the retries of workers that failed at the same time.
    static func verdict(on error: ClairoError, task: WorkTask, jitter: Double = .random(in: 0...1)) -> Verdict {
        // 2, 4, 8 … seconds.
        let delay = BackOff.delay(after: task.attempt, first: 2, longest: longestDelay) * (0.5 + jitter)
        // 1, 2, 4 … seconds: not longer than the cause has already lasted, so that work continues soon after an operator
        // has mended it.
        let patience = BackOff.delay(after: task.attempt, longest: longestDelay) * (0.5 + jitter / 2)
        let uncounted = Verdict.retry(afterSeconds: patience, countsAsAttempt: false)
        switch error.kind {
        // The media, the profile or a deleted source: no worker can run this task.
        case .badInput, .usage: return .giveUp(isDeadLetter: false)
        case .cancelled: return .release
        case .refused: return uncounted
        case .capacity, .transient:
            if blocksWorker(error) {
                return task.attempt < mostAttemptsForServices ? uncounted : .giveUp(isDeadLetter: true)
            }
            // A service that is overloaded for an hour must not fail every job of that hour. But this may also be the
            // task's fault: it may lose each machine that runs it.
            let counts = task.attempt >= WorkTask.mostAttempts
            guard !counts || task.attempt < task.maxAttempts else { return .giveUp(isDeadLetter: true) }
            return .retry(afterSeconds: delay, countsAsAttempt: counts)
        case .defect:
            guard task.attempt < task.maxAttempts - attemptsSparedForDefects else { return .giveUp(isDeadLetter: true) }
            return .retry(afterSeconds: delay, countsAsAttempt: true)
        }
    }

    /// Whether an error would probably stop the worker's other tasks too: a service refuses it, is unavailable, or has no
    /// room.
    static func blocksWorker(_ error: ClairoError) -> Bool {
        switch error.kind {
        case .refused, .capacity: true
        case .transient: error.exitCode == .unavailable
        case .badInput, .defect, .usage, .cancelled: false
        }
    }
}
