public import ClairoCore
internal import Synchronization

/// What a daemon cannot do at present, and why, for its log, its metrics and its health check.
///
/// After its start a daemon never ends because of an error: each loop waits with back-off and tries again (article
/// Failures). It reports every failure and every success here, by activity.
public final class DaemonHealth: Sendable {
    /// A part of a daemon's work that can be blocked while the others continue.
    public enum Activity: String, Sendable, CaseIterable {
        /// Receiving messages from the queue.
        case receive
        /// Handling messages about uploads.
        case intake
        /// Claiming tasks and recording their results.
        case claim
        /// Running tasks: reading sources, writing outputs, starting processes and containers.
        case run
        /// Delivering the outbox to the queue.
        case relay
        /// Reading the outbox for webhooks. Receivers that do not accept a webhook do not block it.
        case webhook
    }

    private struct Blockage {
        var error: ClairoError
        /// The time of the last failure.
        var last: ContinuousClock.Instant
    }

    /// Every loop tries again within five minutes. An older failure concerned work that no longer exists, such as a
    /// cancelled job's, or that another process has taken over.
    private static let relevance = Duration.seconds(600)

    private let onError: @Sendable (ClairoError) -> Void
    private let onRecovery: @Sendable (Activity) -> Void
    private let now: @Sendable () -> ContinuousClock.Instant
    private let state = Mutex<[Activity: Blockage]>([:])

    /// - Parameters:
    ///   - onError: Called for each error that the daemon recovers from, blocked or not.
    ///   - onRecovery: Called when an activity succeeds after it was blocked.
    ///   - now: A monotonic clock.
    public init(
        onError: @escaping @Sendable (ClairoError) -> Void = { _ in },
        onRecovery: @escaping @Sendable (Activity) -> Void = { _ in },
        now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
    ) {
        self.onError = onError
        self.onRecovery = onRecovery
        self.now = now
    }

    /// Reports an error that blocks nothing.
    public func report(_ error: ClairoError) { onError(error) }

    /// Reports that an activity failed and will be tried again.
    public func failed(_ activity: Activity, _ error: ClairoError) {
        blocked(activity, by: error)
        onError(error)
    }

    /// The same for an error that is reported elsewhere too.
    public func blocked(_ activity: Activity, by error: ClairoError) {
        state.withLock { $0[activity] = Blockage(error: error, last: now()) }
    }

    /// Reports that an activity works.
    public func succeeded(_ activity: Activity) {
        let wasBlocked = state.withLock { $0.removeValue(forKey: activity) != nil }
        if wasBlocked { onRecovery(activity) }
    }

    /// The activities that are blocked, each with its last error.
    public var blockages: [Activity: ClairoError] {
        let now = now()
        return state.withLock { state in
            state = state.filter { $0.value.last.duration(to: now) < Self.relevance }
            return state.mapValues(\.error)
        }
    }
}
