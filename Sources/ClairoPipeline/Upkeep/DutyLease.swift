public import ClairoCore
internal import Synchronization

/// This process's lease on a duty, which it renews until the duty ends.
///
/// It expires slightly before the lease in the database, so that a process that resumes after a suspension notices at
/// once that another one may have taken over.
public final class DutyLease: Sendable {
    /// Seconds after which others take over from a dead process.
    static let seconds = 120.0

    private struct State {
        var until: ContinuousClock.Instant
        var isLost = false
        var renewal: Task<Void, Never>?
    }

    private let records: any DutyRecords
    private let duty: Duty
    private let owner: String
    private let stop: StopRequest
    private let state: Mutex<State>

    private init(
        _ records: any DutyRecords, _ duty: Duty, owner: String, stop: StopRequest, since: ContinuousClock.Instant
    ) {
        self.records = records
        self.duty = duty
        self.owner = owner
        self.stop = stop
        state = Mutex(State(until: since + .seconds(Self.seconds * 0.9)))
    }

    deinit { state.withLock { $0.renewal?.cancel() } }

    /// Takes a duty.
    /// - Parameters:
    ///   - owner: A unique name of this process.
    ///   - stop: Ends the duty between two steps.
    /// - Returns: Nil if another process holds it, or nothing is due.
    public static func take(
        _ duty: Duty, _ records: any DutyRecords, owner: String, evenIfNotDue: Bool, stop: StopRequest
    ) async throws(ClairoError) -> DutyLease? {
        let now = ContinuousClock.now
        guard
            try await records.takeDuty(duty, owner: owner, leaseSeconds: seconds, evenIfNotDue: evenIfNotDue)
        else { return nil }
        let lease = DutyLease(records, duty, owner: owner, stop: stop, since: now)
        let renewal = Task { [weak lease] in
            while (try? await Task.sleep(for: .seconds(seconds / 10))) != nil, let lease, await lease.renew() {}
        }
        lease.state.withLock { $0.renewal = renewal }
        return lease
    }

    /// - Returns: False if the lease is lost.
    private func renew() async -> Bool {
        let now = ContinuousClock.now
        // An expired lease is not renewed, although that might succeed: another process may have had it in between.
        guard !isLost else { return false }
        do throws(ClairoError) {
            let isOurs = try await records.takeDuty(
                duty, owner: owner, leaseSeconds: Self.seconds, evenIfNotDue: false)
            state.withLock { state in
                if isOurs { state.until = now + .seconds(Self.seconds * 0.9) } else { state.isLost = true }
            }
            return isOurs
        } catch {
            // The database is unavailable, but the lease may still hold.
            return true
        }
    }

    private var isLost: Bool { state.withLock { $0.isLost || .now >= $0.until } }

    /// Checks that the next step may begin.
    /// - Throws: `cancelled` if the process is stopping or another process may have taken over.
    public func check() throws(ClairoError) {
        try stop.check()
        if isLost { throw .cancelled }
    }

    /// Ends the duty.
    /// - Parameters:
    ///   - succeeded: Whether it was done completely.
    ///   - seconds: When it is due again.
    public func end(succeeded: Bool, dueAfterSeconds seconds: Double) async throws(ClairoError) {
        state.withLock { $0.renewal?.cancel() }
        try await records.endDuty(duty, owner: owner, succeeded: succeeded, dueAfterSeconds: seconds)
    }
}
