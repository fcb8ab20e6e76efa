public import ClairoCore

/// Everything about one video, as shown by `clairo status VIDEO`.
public struct VideoReport: Sendable, Codable, Hashable {
    public struct JobReport: Sendable, Codable, Hashable {
        public var id: JobID
        public var state: Job.State
        public var attempt: Int
        public var framesDone: Int
        public var framesPlanned: Int
        /// See `JobPace`. Nil if unknown or if the job is not running.
        public var framesPerSecond: Double?
        public var speed: Double?
        public var etaSeconds: Double?
        public var tasks: [TaskReport]
        public var error: Failure?
        public var createdAt: Timestamp
        public var updatedAt: Timestamp
        public var finishedAt: Timestamp?
    }

    /// A task without its documents.
    public struct TaskReport: Sendable, Codable, Hashable {
        public var id: TaskID
        public var kind: WorkTask.Kind
        public var index: Int
        public var state: WorkTask.State
        public var attempt: Int
        public var owner: String?
        public var framesDone: Int
        public var framesPlanned: Int
        public var error: Failure?
    }

    public var schema: Int
    public var video: Video
    /// Newest first.
    public var jobs: [JobReport]
    /// Largest first.
    public var renditions: [Rendition]

    /// Reads the report from the database. Returns nil if there is no such video.
    public init?(_ id: VideoID, in metadata: any MetadataStore) async throws(ClairoError) {
        guard let video = try await metadata.video(id) else { return nil }
        schema = 1
        self.video = video
        renditions = try await metadata.renditions(of: id)
        jobs = []
        for job in try await metadata.jobs(of: id) {
            jobs.append(JobReport(job, tasks: try await metadata.tasks(of: job.id), now: .now))
        }
    }
}

extension VideoReport.JobReport {
    init(_ job: Job, tasks: [WorkTask], now: Timestamp) {
        let pace = JobPace(of: job, tasks: tasks, now: now)
        self.init(
            id: job.id, state: job.state, attempt: job.attempt,
            framesDone: tasks.reduce(0) { $0 + $1.framesDone },
            framesPlanned: tasks.reduce(0) { $0 + $1.framesPlanned },
            framesPerSecond: pace?.framesPerSecond, speed: pace?.speed, etaSeconds: pace?.etaSeconds,
            tasks: tasks.map {
                VideoReport.TaskReport(
                    id: $0.id, kind: $0.kind, index: $0.index, state: $0.state, attempt: $0.attempt, owner: $0.owner,
                    framesDone: $0.framesDone, framesPlanned: $0.framesPlanned, error: $0.error)
            },
            error: job.error, createdAt: job.createdAt, updatedAt: job.updatedAt, finishedAt: job.finishedAt)
    }
}

extension Video.State {
    /// Whether the state changes no more by itself.
    public var isFinal: Bool { [.ready, .failed, .cancelled].contains(self) }
}
