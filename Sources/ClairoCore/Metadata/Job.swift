/// A processing of a video under a profile.
public struct Job: Sendable, Codable, Hashable {
    public enum State: String, Sendable, Codable, CaseIterable {
        case planning, running, finishing, succeeded, failed, cancelled

        public var isFinal: Bool { [.succeeded, .failed, .cancelled].contains(self) }
    }

    public var id: JobID
    public var videoID: VideoID
    public var state: State
    public var profile: String
    public var priority: Priority
    /// The tenant, for fair scheduling.
    public var tenant: String
    /// Its position in the queue, from which its tasks' positions are derived.
    public var queueAt: Timestamp
    /// The fencing number: an update with an older number is rejected.
    public var attempt: Int
    /// Nil before the job is planned.
    public var plan: Plan?
    public var error: Failure?
    public var traceID: String
    public var createdAt: Timestamp
    public var updatedAt: Timestamp
    public var finishedAt: Timestamp?

    public init(
        id: JobID, videoID: VideoID, state: State = .planning, profile: String, priority: Priority,
        tenant: String = Video.defaultTenant, queueAt: Timestamp? = nil, attempt: Int = 1, plan: Plan? = nil,
        error: Failure? = nil, traceID: String, createdAt: Timestamp, updatedAt: Timestamp? = nil,
        finishedAt: Timestamp? = nil
    ) {
        self.id = id
        self.videoID = videoID
        self.state = state
        self.profile = profile
        self.priority = priority
        self.tenant = tenant
        self.queueAt = queueAt ?? createdAt
        self.attempt = attempt
        self.plan = plan
        self.error = error
        self.traceID = traceID
        self.createdAt = createdAt
        self.updatedAt = updatedAt ?? createdAt
        self.finishedAt = finishedAt
    }
}
