import ClairoCore
import Testing

@Suite struct TokenBucketTests {
    @Test func aBurstIsAvailableAtOnceAndTheRestAtTheRate() {
        var bucket = TokenBucket(burst: 3, perSecond: 2, now: 0)
        #expect((0..<5).map { _ in bucket.take(at: 0) } == [0, 0, 0, 0.5, 1])
        // Tokens taken in advance are a debt.
        #expect(bucket.take(at: 1.5) == 0)
        #expect(bucket.take(at: 1.5) == 0.5)
    }

    @Test func anEmptyBucketReturnsTheWaitingTime() {
        var bucket = TokenBucket(burst: 2, perSecond: 4, now: 100)
        #expect(bucket.takeIfAvailable(at: 100) == nil)
        #expect(bucket.takeIfAvailable(at: 100) == nil)
        for _ in 0..<3 { #expect(bucket.takeIfAvailable(at: 100) == 0.25) }
        #expect(bucket.takeIfAvailable(at: 100.25) == nil)
        #expect(bucket.takeIfAvailable(at: 100.25) == 0.25)
    }

    @Test func aBucketNeverHoldsMoreThanItsBurst() {
        var bucket = TokenBucket(burst: 3, perSecond: 2, now: 0)
        #expect(bucket.isFull(at: 0))
        _ = bucket.take(at: 0)
        #expect(!bucket.isFull(at: 0.25))
        #expect(bucket.isFull(at: 0.5))
        for _ in 0..<3 { #expect(bucket.takeIfAvailable(at: 3600) == nil) }
        #expect(bucket.takeIfAvailable(at: 3600) == 0.5)
    }

    @Test func aDrainedBucketKeepsItsDebt() {
        var bucket = TokenBucket(burst: 3, perSecond: 2, now: 0)
        bucket.drain()
        #expect(bucket.take(at: 0) == 0.5)
        bucket.drain()
        #expect(bucket.take(at: 0) == 1)
    }
}
