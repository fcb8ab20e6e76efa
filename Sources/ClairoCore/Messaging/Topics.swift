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

    /// The topic for dead letters of a topic.
    public static func deadLetters(of topic: String) -> String { topic + ".dlq" }
}

/// The payload of `clairo.tasks`: a hint that a task is available. The database decides which task a worker gets.
public struct TaskMessage: Sendable, Codable, Hashable {
    /// Version of the document.
    public static let currentSchema = 1

    /// Version of the document.
    public var schema: Int
    /// Id of the task.
    public var taskID: TaskID
    /// Its job.
    public var jobID: JobID
    /// Its video.
    public var videoID: VideoID
    /// The kind of the task.
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
    /// Version of the document.
    public static let currentSchema = 1

    /// The kind of an event.
    public enum Kind: String, Sendable, Codable, CaseIterable {
        /// The job was created.
        case started = "job.started"
        /// Its plan exists.
        case planned = "job.planned"
        /// Its output is published.
        case ready = "job.ready"
        /// It failed permanently.
        case failed = "job.failed"
        /// It was stopped.
        case cancelled = "job.cancelled"
    }

    /// Version of the document.
    public var schema: Int
    /// The kind of the event.
    public var event: Kind
    /// The video.
    public var videoID: VideoID
    /// The job.
    public var jobID: JobID
    /// The trace id of the video, for logs and messages.
    public var traceID: String
    /// When it happened.
    public var time: Timestamp
    /// Set for `ready`.
    public var output: ProcessedOutput?
    /// The published renditions. Set for `ready`.
    public var renditions: [Rendition]?
    /// Warnings about the source and the output. Set for `planned` and `ready`.
    public var warnings: [MediaWarning]?
    /// Set for `failed`.
    public var error: Failure?

    public init(
        _ event: Kind, job: Job, time: Timestamp = .now, output: ProcessedOutput? = nil,
        renditions: [Rendition]? = nil, warnings: [MediaWarning]? = nil, error: Failure? = nil
    ) {
        schema = Self.currentSchema
        self.event = event
        videoID = job.videoID
        jobID = job.id
        traceID = job.traceID
        self.time = time
        self.output = output
        self.renditions = renditions
        self.warnings = warnings
        self.error = error
    }
}
