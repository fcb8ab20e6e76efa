/// The topics of the pipeline.
public enum Topic {
    /// Videos whose bytes are safe: `UploadMessage`, or events of S3 and MinIO.
    public static let uploads = "clairo.uploads"
    /// Tasks that may be taken: `TaskMessage`.
    public static let tasks = "clairo.tasks"
    /// What has become of jobs: `JobEvent`.
    public static let events = "clairo.events"
    /// Not a topic of the queue: the relay sends these to the webhook.
    public static let webhook = "webhook"

    /// Those that the queue has to have.
    public static let all = [uploads, tasks, events, deadLetters(of: uploads), deadLetters(of: tasks)]

    public static func deadLetters(of topic: String) -> String { topic + ".dlq" }
}

/// What `clairo.tasks` carries: a task may be taken. Which one a worker takes then, the database says.
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

/// What `clairo.events` and webhooks carry.
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
    /// Of `ready`.
    public var output: ProcessedOutput?
    /// Of `failed`.
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
