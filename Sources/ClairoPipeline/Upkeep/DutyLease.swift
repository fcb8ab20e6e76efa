public import ClairoCore
internal import Synchronization

/// This process's lease on a duty. It expires slightly before the lease in the database, so that a process that resumes
/// after a suspension notices that another one may have taken over.
public final class DutyLease: Sendable {
    /// Seconds after which others take over from a dead process.
    static let seconds = 300.0

    private let records: any DutyRecords
    private let duty: Duty
    private let owner: String
    private let stop: StopRequest
    private let renewed: Mutex<ContinuousClock.Instant>

    private init(_ records: any DutyRecords, _ duty: Duty, owner: String, stop: StopRequest) {
        self.records = records
        self.duty = duty
        self.owner = owner
        self.stop = stop
        renewed = Mutex(.now)
    }

    /// Takes a duty.
    /// - Parameters:
    ///   - owner: A unique name of this process.
    ///   - stop: Ends the duty between two steps.
    /// - Returns: Nil if another process holds it, or nothing is due.
    public static func take(
        _ duty: Duty, _ records: any DutyRecords, owner: String, evenIfNotDue: Bool, stop: StopRequest
    ) async throws(ClairoError) -> DutyLease? {
        let lease = DutyLease(records, duty, owner: owner, stop: stop)
        let isOurs = try await records.takeDuty(
            duty, owner: owner, leaseSeconds: seconds, evenIfNotDue: evenIfNotDue)
        return isOurs ? lease : nil
    }

    /// Renews the lease if it is time to. Call between two steps.
    /// - Throws: `cancelled` if the process is stopping or another process has taken over.
    public func check() async throws(ClairoError) {
        try stop.check()
        let now = ContinuousClock.now
        let age = now - renewed.withLock { $0 }
        if age < .seconds(Self.seconds / 10) { return }
        // An expired lease is not renewed, although that might succeed: another process may have had it in between.
        guard age < .seconds(Self.seconds * 0.9),
            try await records.takeDuty(duty, owner: owner, leaseSeconds: Self.seconds, evenIfNotDue: false)
        else { throw .cancelled }
        renewed.withLock { $0 = max($0, now) }
    }

    /// Ends the duty.
    public func end(succeeded: Bool, dueAfterSeconds seconds: Double) async throws(ClairoError) {
        try await records.endDuty(duty, owner: owner, succeeded: succeeded, dueAfterSeconds: seconds)
    }
}
