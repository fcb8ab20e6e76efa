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
        #expect(verdict(.temporary("x")) == .retry(afterSeconds: 2, countsAsAttempt: true))
        #expect(verdict(.temporary("x"), attempt: 4) == .retry(afterSeconds: 16, countsAsAttempt: true))
        #expect(verdict(.temporary("x"), attempt: 5) == .giveUp(isDeadLetter: true))
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
        #expect(verdict(error, attempt: 50) == .retry(afterSeconds: 30, countsAsAttempt: false))
        #expect(verdict(error, attempt: 999) == .retry(afterSeconds: 30, countsAsAttempt: false))
        #expect(verdict(error, attempt: 1000) == .giveUp(isDeadLetter: true), "retries are limited")
    }

    @Test func aConfigurationErrorEndsTheWorkerAndNotTheTask() {
        #expect(verdict(.configuration("no such bucket")) == .releaseAndEnd)
        #expect(verdict(.noPermission("refused")) == .releaseAndEnd)
    }

    @Test func aMissingSourceFailsTheJob() {
        #expect(verdict(.noInput("gone")) == .giveUp(isDeadLetter: false))
    }
}
