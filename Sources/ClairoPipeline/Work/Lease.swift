internal import ClairoCore
internal import Synchronization

/// This worker's belief in its claim on a task. It ends a margin before the database's, so a worker that was stopped for
/// long (SIGSTOP, a suspended machine) knows when it wakes, before it asks, that others may be at work by now.
final class Lease: Sendable {
    /// How long a claim lasts without renewal.
    let seconds: Double
    let stop = StopRequest()
    private let state: Mutex<State>

    /// Between renewals.
    var interval: Double { seconds / 10 }

    private struct State {
        var until: ContinuousClock.Instant
        var framesDone = 0
        var isLost = false
    }

    /// - Parameter since: before the claim was asked for.
    init(since: ContinuousClock.Instant, seconds: Double) {
        self.seconds = seconds
        state = Mutex(State(until: since + .seconds(seconds * 0.9)))
    }

    func renewed(since: ContinuousClock.Instant) { state.withLock { $0.until = since + .seconds(seconds * 0.9) } }

    /// The claim is another's, or void: all work for it ends.
    func lose() {
        state.withLock { $0.isLost = true }
        stop.cancel()
    }

    var isLost: Bool { state.withLock { $0.isLost || .now >= $0.until } }

    /// Whether it has run out, whoever holds the claim now.
    var isExpired: Bool { state.withLock { .now >= $0.until } }

    var framesDone: Int {
        get { state.withLock { $0.framesDone } }
        set { state.withLock { $0.framesDone = max($0.framesDone, newValue) } }
    }

    /// - Throws: `cancelled` where the claim does not hold any more.
    func check() throws(ClairoError) {
        try stop.check()
        if isLost {
            lose()
            throw .cancelled
        }
    }
}
