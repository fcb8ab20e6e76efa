/// Recurring work that one process at a time does for all.
public enum Duty: String, Sendable, Codable, CaseIterable {
    /// Removes obsolete data.
    case upkeep
    /// Walks through the stores for what killed writers left. Rarer, because it reads whole folders.
    case leftovers
}

/// Leader leases: who does a duty, until when, and when it is due again.
public protocol DutyRecords: Sendable {
    /// Takes a duty, or renews the lease of its owner, by one conditional update.
    /// - Parameters:
    ///   - owner: A unique name of this process.
    ///   - leaseSeconds: How long others wait for this process if it dies.
    ///   - evenIfNotDue: Whether to take a duty that was done recently.
    /// - Returns: False if another process holds it, or nothing is due.
    func takeDuty(_ duty: Duty, owner: String, leaseSeconds: Double, evenIfNotDue: Bool) async throws(ClairoError)
        -> Bool

    /// Ends a lease. Does nothing if `owner` no longer holds it.
    /// - Parameters:
    ///   - succeeded: Whether the duty was done completely.
    ///   - seconds: When it is due again.
    func endDuty(_ duty: Duty, owner: String, succeeded: Bool, dueAfterSeconds seconds: Double)
        async throws(ClairoError)

    /// The state of a duty; nil before a process took it for the first time.
    func dutyStatus(_ duty: Duty) async throws(ClairoError) -> DutyStatus?
}

/// The state of a duty.
public struct DutyStatus: Sendable, Hashable {
    /// The process that holds it.
    public var owner: String?
    /// When it was last done completely.
    public var succeededAt: Timestamp?

    public init(owner: String? = nil, succeededAt: Timestamp? = nil) {
        self.owner = owner
        self.succeededAt = succeededAt
    }
}
