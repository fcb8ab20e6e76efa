/// The topics of the pipeline.
public enum Topic {
    /// Uploaded videos: `UploadMessage`, or events from S3 and MinIO.
    public static let uploads = "clairo.uploads"
    /// Available tasks: `TaskMessage`.
    public static let tasks = "clairo.tasks"
    /// State changes of jobs: `JobEvent`.
    public static let events = "clairo.events"
    /// Not a topic of the queue: the relay posts these to the webhook.
    public static let webhook = "webhook"

    /// The topics that the queue needs.
    public static let all = [uploads, tasks, events, deadLetters(of: uploads), deadLetters(of: tasks)]

    public static func deadLetters(of topic: String) -> String { topic + ".dlq" }
}

/// The payload of `clairo.tasks`: a hint that a task is available. The database decides which task a worker gets.
public struct TaskMessage: Sendable, Codable, Hashable {
    public static let currentSchema = 1

    public var schema: Int
    public var taskID: TaskID
    public var jobID: JobID
    public var videoID: VideoID
    public var kind: WorkTask.Kind

    public init(_ task: WorkTask) {
        schema = Self.currentSchema
        taskID = task.id
        jobID = task.jobID
        videoID = task.videoID
        kind = task.kind
    }
}

/// The payload of `clairo.events` and of webhooks.
public struct JobEvent: Sendable, Codable, Hashable {
    public static let currentSchema = 1

    public enum Kind: String, Sendable, Codable, CaseIterable {
        case started = "job.started"
        case planned = "job.planned"
        case ready = "job.ready"
        case failed = "job.failed"
        case cancelled = "job.cancelled"
    }

    public var schema: Int
    public var event: Kind
    public var videoID: VideoID
    public var jobID: JobID
    public var traceID: String
    public var time: Timestamp
    /// Set for `ready`.
    public var output: ProcessedOutput?
    /// Set for `failed`.
    public var error: Failure?

    public init(_ event: Kind, job: Job, time: Timestamp = .now, output: ProcessedOutput? = nil, error: Failure? = nil)
    {
        schema = Self.currentSchema
        self.event = event
        videoID = job.videoID
        jobID = job.id
        traceID = job.traceID
        self.time = time
        self.output = output
        self.error = error
    }
}
