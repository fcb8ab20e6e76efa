internal import ClairoCore

/// Decides when a worker may claim a task while a service refuses it, is unavailable, or has no room.
///
/// While tasks run, every free slot claims at once. After a task that was blocked, the worker probes instead: one claim
/// now, the following ones with back-off. So a blocked worker does not take and return every task of a long queue. The
/// first task that is not blocked opens the gate again. A probe that has run for a minute no longer holds up the next one,
/// because a task may take hours.
struct ClaimGate {
    static let longestDelay = 30.0
    /// How long a probe holds up the next one.
    static let probeSeconds = 60.0

    private var backOff: BackOff
    /// When the next claim is allowed; nil while the gate is open.
    private var due: ContinuousClock.Instant?
    private var isProbing = false

    /// - Parameter first: The first delay between two probes in seconds.
    init(first: Double = 1) { backOff = BackOff(first: first, longest: Self.longestDelay) }

    /// Asks for permission to claim a task. After a permission, report the result by one of the methods below.
    /// - Returns: How long to wait before asking again, or nil if the claim is permitted.
    mutating func delay(at now: ContinuousClock.Instant) -> Duration? {
        guard let due else { return nil }
        guard now >= due else { return now.duration(to: due) }
        isProbing = true
        self.due = now + .seconds(Self.probeSeconds)
        return nil
    }

    /// The claim found no task, or the task's end says nothing about the services.
    mutating func learnedNothing(at now: ContinuousClock.Instant) {
        guard isProbing else { return }
        isProbing = false
        due = now
    }

    /// A task was blocked.
    mutating func blocked(at now: ContinuousClock.Instant, jitter: Double = .random(in: 0...1)) {
        if due == nil {
            due = now
        } else if isProbing {
            // Other tasks that were running when the first one was blocked do not lengthen the delay.
            isProbing = false
            due = now + .seconds(backOff.next(jitter: jitter))
        }
    }

    /// A task was not blocked.
    mutating func opened() {
        due = nil
        isProbing = false
        backOff.reset()
    }
}
