internal import ClairoCore
internal import Synchronization

/// This worker's view of its lease on a task. It expires slightly before the lease in the database. So a worker that
/// resumes after a suspension (SIGSTOP, a sleeping machine) notices at once that another worker may have claimed the
/// task.
final class Lease: Sendable {
    /// How long a claim lasts without renewal, in seconds.
    let seconds: Double
    let stop = StopRequest()
    private let state: Mutex<State>

    /// The time between renewals in seconds.
    var interval: Double { seconds / 10 }

    private struct State {
        var until: ContinuousClock.Instant
        var framesDone = 0
        var isLost = false
    }

    /// - Parameter since: A time before the claim was requested.
    init(since: ContinuousClock.Instant, seconds: Double) {
        self.seconds = seconds
        state = Mutex(State(until: since + .seconds(seconds * 0.9)))
    }

    func renewed(since: ContinuousClock.Instant) { state.withLock { $0.until = since + .seconds(seconds * 0.9) } }

    /// Records that another worker has the claim or that it is void, and stops all work.
    func lose() {
        state.withLock { $0.isLost = true }
        stop.cancel()
    }

    var isLost: Bool { state.withLock { $0.isLost || .now >= $0.until } }

    /// Whether the lease has expired, even if no other worker has claimed the task.
    var isExpired: Bool { state.withLock { .now >= $0.until } }

    var framesDone: Int {
        get { state.withLock { $0.framesDone } }
        set { state.withLock { $0.framesDone = max($0.framesDone, newValue) } }
    }

    /// - Throws: `cancelled` if the claim is no longer valid.
    func check() throws(ClairoError) {
        try stop.check()
        if isLost {
            lose()
            throw .cancelled
        }
    }
}
