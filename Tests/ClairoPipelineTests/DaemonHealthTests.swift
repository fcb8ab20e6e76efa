import ClairoCore
import Synchronization
import Testing

@testable import ClairoPipeline

@Suite struct DaemonHealthTests {
    private final class Journal: Sendable {
        private let mutex = Mutex<(now: ContinuousClock.Instant, words: [String])>((.now, []))
        var now: ContinuousClock.Instant { mutex.withLock { $0.now } }
        var words: [String] { mutex.withLock { $0.words } }
        func pass(seconds: Double) { mutex.withLock { $0.now += .seconds(seconds) } }
        func note(_ text: String) { mutex.withLock { $0.words.append(text) } }
    }

    private let journal = Journal()

    private func health() -> DaemonHealth {
        DaemonHealth(
            onError: { [journal] in journal.note($0.message) },
            onRecovery: { [journal] in journal.note("\($0) works") }, now: { [journal] in journal.now })
    }

    @Test func anActivityIsBlockedUntilItSucceeds() {
        let health = health()
        #expect(health.blockages.isEmpty)
        health.failed(.run, .refused("first"))
        health.failed(.run, .refused("second"))
        health.failed(.claim, .unavailable("away"))
        #expect(health.blockages == [.run: .refused("second"), .claim: .unavailable("away")])
        health.succeeded(.run)
        #expect(health.blockages.keys.map(\.self) == [.claim])
        #expect(journal.words == ["first", "second", "away", "run works"])
    }

    @Test func aSuccessThatFollowsNoFailureIsNoRecovery() {
        health().succeeded(.relay)
        #expect(journal.words.isEmpty)
    }

    @Test func anErrorThatBlocksNothingIsOnlyReported() {
        let health = health()
        health.report(.badMedia("no film"))
        #expect(health.blockages.isEmpty && journal.words == ["no film"])
    }

    /// Otherwise an idle worker would be blocked forever by the failure of a job that was cancelled since.
    @Test func aFailureThatIsNotRepeatedIsForgotten() {
        let health = health()
        health.failed(.run, .refused("x"))
        journal.pass(seconds: 590)
        #expect(health.blockages.count == 1)
        health.failed(.run, .refused("x"))
        journal.pass(seconds: 590)
        #expect(health.blockages.count == 1)
        journal.pass(seconds: 10)
        #expect(health.blockages.isEmpty)
    }
}
