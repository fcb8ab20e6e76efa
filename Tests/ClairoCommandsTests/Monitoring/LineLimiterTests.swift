import Synchronization
import Testing

@testable import ClairoCommands

/// Which of many equal lines are logged.
struct LineLimiterTests {
    private final class Clock: Sendable {
        private let mutex = Mutex(ContinuousClock.now)
        var now: ContinuousClock.Instant { mutex.withLock { $0 } }
        func pass(_ duration: Duration) { mutex.withLock { $0 += duration } }
    }

    private let clock = Clock()

    private func limiter() -> LineLimiter { LineLimiter(now: { [clock] in clock.now }) }

    @Test func theFirstOfEqualLinesIsLoggedAndThenOneEachInterval() {
        let limiter = limiter()
        #expect(limiter.admit("the store refuses") == 0)
        for _ in 0..<100 { #expect(limiter.admit("the store refuses") == nil) }
        #expect(limiter.admit("the database refuses") == 0)
        clock.pass(LineLimiter.interval)
        #expect(limiter.admit("the store refuses") == 100)
        #expect(limiter.admit("the store refuses") == nil)
        clock.pass(LineLimiter.interval)
        #expect(limiter.admit("the store refuses") == 1)
    }

    @Test func idsAndNumbersDoNotMakeLinesDifferent() {
        let limiter = limiter()
        #expect(limiter.admit("Reading s3://raw/videos/019a/source: AccessDenied (request 17F) after 3 attempts") == 0)
        #expect(
            limiter.admit("Reading s3://raw/videos/019b/source: AccessDenied (request 18A) after 5 attempts") == nil)
        #expect(limiter.admit("Writing s3://raw/videos/019b/source: AccessDenied (request 18A) after 5 attempts") == 0)
    }

    @Test func aResetStartsAllSeriesOver() {
        let limiter = limiter()
        _ = limiter.admit("x")
        limiter.reset()
        #expect(limiter.admit("x") == 0)
    }

    @Test func theNumberOfSeriesIsLimited() {
        let limiter = limiter()
        func word(_ number: Int) -> String {
            String(String(number, radix: 2).map { $0 == "0" ? "a" : "b" })
        }
        for number in 0...LineLimiter.mostSeries {
            #expect(limiter.admit(word(number)) == 0)
            clock.pass(.milliseconds(1))
        }
        // The oldest one was forgotten, and the newest one was not.
        #expect(limiter.admit(word(LineLimiter.mostSeries)) == nil)
        #expect(limiter.admit(word(0)) == 0)
    }
}
