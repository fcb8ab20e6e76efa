import ClairoCore
import Testing

@testable import ClairoPipeline

@Suite struct FailurePolicyTests {
    private func task(attempt: Int, of most: Int = 5) -> WorkTask {
        WorkTask(
            id: .make(), jobID: .make(), videoID: .make(), kind: .chunk, priority: .normal, attempt: attempt,
            maxAttempts: most, notBefore: .now, createdAt: .now)
    }

    private func verdict(_ error: ClairoError, attempt: Int = 1) -> FailurePolicy.Verdict {
        FailurePolicy.verdict(on: error, task: task(attempt: attempt), jitter: 0.5)
    }

    @Test func badMediaIsNeverRetried() {
        #expect(verdict(.badMedia("broken")) == .giveUp(isDeadLetter: false))
    }

    @Test func aTransientErrorIsRetriedWithIncreasingDelays() {
        #expect(verdict(.temporary("x")) == .retry(afterSeconds: 2, countsAsAttempt: false))
        #expect(verdict(.temporary("x"), attempt: 4) == .retry(afterSeconds: 16, countsAsAttempt: false))
        #expect(verdict(.temporary("x"), attempt: 24) == .retry(afterSeconds: 300, countsAsAttempt: false))
    }

    @Test func aTransientErrorThatRecursForHoursEndsTheTask() {
        #expect(end(of: task(attempt: 0), on: .temporary("x")) == 29)
        // An operator's retry gives it the usual number of attempts again.
        #expect(end(of: task(attempt: 29, of: 34), on: .temporary("x")) == 34)
    }

    @Test func anUnavailableServiceDoesNotEndATaskForDays() {
        #expect(verdict(.unavailable("x"), attempt: 3) == .retry(afterSeconds: 3, countsAsAttempt: false))
        #expect(verdict(.unavailable("x"), attempt: 999) == .retry(afterSeconds: 225, countsAsAttempt: false))
        #expect(verdict(.unavailable("x"), attempt: 1000) == .giveUp(isDeadLetter: true), "retries are limited")
    }

    /// The number of the last attempt of a task that fails with the same error again and again.
    private func end(of task: WorkTask, on error: ClairoError) -> Int {
        var task = task
        while task.attempt < 10_000 {
            task.attempt += 1
            guard case .retry(_, let counts) = FailurePolicy.verdict(on: error, task: task) else { break }
            if !counts { task.maxAttempts += 1 }
        }
        return task.attempt
    }

    @Test func aDefectIsTriedThreeTimesAndBecomesADeadLetter() {
        #expect(verdict(.defect("x"), attempt: 2) == .retry(afterSeconds: 4, countsAsAttempt: true))
        #expect(verdict(.defect("x"), attempt: 3) == .giveUp(isDeadLetter: true))
        // An attempt that did not count, such as one of a dead worker, adds one allowed attempt.
        let uncounted = FailurePolicy.verdict(on: .defect("x"), task: task(attempt: 3, of: 6), jitter: 0.5)
        #expect(uncounted == .retry(afterSeconds: 8, countsAsAttempt: true))
    }

    @Test func aCapacityErrorDoesNotCountAsAnAttempt() {
        let error = ClairoError(kind: .capacity, exitCode: .temporary, "full")
        #expect(verdict(error) == .retry(afterSeconds: 0.75, countsAsAttempt: false))
        #expect(verdict(error, attempt: 999) == .retry(afterSeconds: 225, countsAsAttempt: false))
        #expect(verdict(error, attempt: 1000) == .giveUp(isDeadLetter: true), "retries are limited")
    }

    @Test(arguments: [
        ClairoError.refused("ExpiredToken"), .refused("no such bucket", exitCode: .configuration),
    ])
    func aRefusalIsRetriedForAsLongAsItLasts(_ error: ClairoError) {
        #expect(verdict(error, attempt: 3) == .retry(afterSeconds: 3, countsAsAttempt: false))
        #expect(verdict(error, attempt: 5) == .retry(afterSeconds: 12, countsAsAttempt: false))
        #expect(verdict(error, attempt: 100_000) == .retry(afterSeconds: 225, countsAsAttempt: false))
    }

    @Test(arguments: [0, 1.0]) func noRefusedTaskWaitsForMoreThanFiveMinutes(_ jitter: Double) {
        guard
            case .retry(let seconds, false) = FailurePolicy.verdict(
                on: .refused("x"), task: task(attempt: 50), jitter: jitter)
        else {
            Issue.record("it is not retried")
            return
        }
        #expect((150...300).contains(seconds))
    }

    @Test func aMissingSourceOrProfileFailsTheJob() {
        #expect(verdict(.noInput("gone")) == .giveUp(isDeadLetter: false))
        #expect(verdict(.configuration("Profile x does not exist")) == .giveUp(isDeadLetter: false))
    }

    @Test func onlyErrorsOfServicesAndMachinesBlockAWorker() {
        let full = ClairoError(kind: .capacity, exitCode: .inputOutput, "full")
        for error in [ClairoError.refused("x"), full, .unavailable("x")] {
            #expect(FailurePolicy.blocksWorker(error), "\(error)")
        }
        for error in [ClairoError.badMedia("x"), .temporary("x"), .defect("x"), .noInput("x"), .cancelled] {
            #expect(!FailurePolicy.blocksWorker(error), "\(error)")
        }
    }
}
