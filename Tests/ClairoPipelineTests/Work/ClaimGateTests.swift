import ClairoCore
import Testing

@testable import ClairoPipeline

/// When a blocked worker may claim a task. Time is given, so nothing here waits.
@Suite struct ClaimGateTests {
    private let start = ContinuousClock.now

    private func time(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }

    /// A gate whose first task was blocked at the start.
    private func blockedGate() -> ClaimGate {
        var gate = ClaimGate(first: 1)
        #expect(gate.delay(at: start) == nil)
        gate.blocked(at: start)
        return gate
    }

    @Test func anOpenGateNeverDelays() {
        var gate = ClaimGate()
        for _ in 0..<100 { #expect(gate.delay(at: start) == nil) }
        gate.learnedNothing(at: start)
        gate.opened()
        #expect(gate.delay(at: start) == nil)
    }

    @Test func oneProbeAtATimeFollowsABlockedTask() {
        var gate = blockedGate()
        #expect(gate.delay(at: start) == nil, "the first probe is not delayed")
        #expect(gate.delay(at: start) == .seconds(60), "and holds up the next one")
        #expect(gate.delay(at: time(59)) == .seconds(1))
    }

    @Test func theDelayBetweenProbesDoublesUpToHalfAMinute() {
        var gate = blockedGate()
        var now = start
        var delays: [Duration] = []
        for _ in 0..<8 {
            #expect(gate.delay(at: now) == nil)
            gate.blocked(at: now, jitter: 1)
            guard let delay = gate.delay(at: now) else {
                Issue.record("a failed probe was not followed by a delay")
                return
            }
            delays.append(delay)
            now += delay
        }
        #expect(delays == [1, 2, 4, 8, 16, 30, 30, 30].map { .seconds($0) })
    }

    @Test func tasksThatWereRunningWhenTheFirstOneWasBlockedDoNotLengthenTheDelay() {
        var gate = blockedGate()
        for _ in 0..<20 { gate.blocked(at: start, jitter: 1) }
        #expect(gate.delay(at: start) == nil)
        gate.blocked(at: start, jitter: 1)
        #expect(gate.delay(at: start) == .seconds(1))
        for _ in 0..<20 { gate.blocked(at: start, jitter: 1) }
        #expect(gate.delay(at: start) == .seconds(1))
    }

    @Test func aTaskThatIsNotBlockedOpensTheGateAndStartsTheDelaysOver() {
        var gate = blockedGate()
        for _ in 0..<5 {
            _ = gate.delay(at: time(1000))
            gate.blocked(at: start, jitter: 1)
        }
        gate.opened()
        for _ in 0..<3 { #expect(gate.delay(at: start) == nil) }
        gate.blocked(at: start)
        #expect(gate.delay(at: start) == nil)
        gate.blocked(at: start, jitter: 1)
        #expect(gate.delay(at: start) == .seconds(1))
    }

    @Test func aProbeThatFindsNoTaskDoesNotHoldUpTheNextOne() {
        var gate = blockedGate()
        #expect(gate.delay(at: start) == nil)
        gate.learnedNothing(at: time(5))
        #expect(gate.delay(at: time(5)) == nil)
        #expect(gate.delay(at: time(5)) == .seconds(60), "the gate is not open")
    }

    @Test func aLongProbeHoldsUpTheNextOneForAMinuteOnly() {
        var gate = blockedGate()
        #expect(gate.delay(at: start) == nil)
        #expect(gate.delay(at: time(60)) == nil)
        #expect(gate.delay(at: time(60)) == .seconds(60))
    }
}
