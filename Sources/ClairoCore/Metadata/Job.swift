/// A processing of a video under a profile.
public struct Job: Sendable, Codable, Hashable {
    /// The state of a job.
    public enum State: String, Sendable, Codable, CaseIterable {
        /// In order of progress; the last three are final.
        case planning, running, finishing, succeeded, failed, cancelled

        /// Whether the job has ended.
        public var isFinal: Bool { [.succeeded, .failed, .cancelled].contains(self) }
    }

    /// Id of the job.
    public var id: JobID
    /// The video that it processes.
    public var videoID: VideoID
    /// The state of the job.
    public var state: State
    /// Transcoding profile.
    public var profile: String
    /// The priority in the queue.
    public var priority: Priority
    /// The tenant, for fair scheduling.
    public var tenant: String
    /// Its position in the queue, from which its tasks' positions are derived.
    public var queueAt: Timestamp
    /// The fencing number: an update with an older number is rejected.
    public var attempt: Int
    /// Nil before the job is planned.
    public var plan: Plan?
    /// Warnings about the source and the output: those of the plan, and once the job has succeeded, all.
    public var warnings: [MediaWarning]
    /// Why it failed.
    public var error: Failure?
    /// The trace id of the video, for logs and messages.
    public var traceID: String
    /// When the job was created.
    public var createdAt: Timestamp
    /// When it last changed.
    public var updatedAt: Timestamp
    /// When it ended.
    public var finishedAt: Timestamp?
    /// When upkeep began to remove its whole output. Such a job cannot be resumed.
    public var sweptAt: Timestamp?

    public init(
        id: JobID, videoID: VideoID, state: State = .planning, profile: String, priority: Priority,
        tenant: String = Video.defaultTenant, queueAt: Timestamp? = nil, attempt: Int = 1, plan: Plan? = nil,
        warnings: [MediaWarning] = [], error: Failure? = nil, traceID: String, createdAt: Timestamp,
        updatedAt: Timestamp? = nil, finishedAt: Timestamp? = nil, sweptAt: Timestamp? = nil
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
        self.warnings = warnings
        self.error = error
        self.traceID = traceID
        self.createdAt = createdAt
        self.updatedAt = updatedAt ?? createdAt
        self.finishedAt = finishedAt
        self.sweptAt = sweptAt
    }
}
