public import ClairoCore

/// The audience of a document.
public enum DocumentReader: Sendable {
    /// Operators of the pipeline: the command line.
    case `operator`
    /// Uploaders: the HTTP API. Locations, workers and internal errors are omitted.
    case client
}

/// A video as JSON, the same in the HTTP API and on the command line.
public struct VideoDocument: Sendable, Codable, Hashable {
    /// The id of the video.
    public var id: VideoID
    /// The state of the video.
    public var state: Video.State
    /// The title, for display.
    public var title: String?
    /// The original file name.
    public var name: String
    /// Transcoding profile.
    public var profile: String
    /// The priority in the queue.
    public var priority: Priority
    /// The tenant, for fair scheduling.
    public var tenant: String
    /// The size of the source in bytes.
    public var size: Int64
    /// The SHA-256 of the source in hexadecimal.
    public var sha256: String
    /// The probe result, as `clairo probe --json` prints it.
    public var media: MediaInfo?
    /// When the upload was complete.
    public var uploadedAt: Timestamp
    /// When this record last changed.
    public var updatedAt: Timestamp
    /// The output, once a job has succeeded.
    public var output: ProcessedOutput?
    /// The warnings of the current or last job. Only in documents about a single video.
    public var warnings: [MediaWarning]?
    /// The error of the last job.
    public var error: Failure?
    /// The location of the source. For operators.
    public var source: ObjectLocation?
    /// The trace id of the video, for logs and messages. For operators.
    public var traceID: String?
    /// The current job, or the last one. For operators.
    public var jobID: JobID?
    /// The jobs, newest first. Only in the API's reply for a single video.
    public var jobs: [JobDocument]?
    /// The renditions, by kind and the largest first. Only in the API's reply for a single video.
    public var renditions: [Rendition]?

    /// The video without its jobs and renditions.
    public init(_ video: Video, for reader: DocumentReader) {
        id = video.id
        state = video.state
        title = video.title
        name = video.originalName
        profile = video.profile
        priority = video.priority
        tenant = video.tenant
        size = video.size
        sha256 = video.sha256
        media = video.media
        uploadedAt = video.uploadedAt
        updatedAt = video.updatedAt
        output = video.output
        error = video.error.map { Failure($0, for: reader) }
        guard reader == .operator else { return }
        source = video.source
        traceID = video.traceID
        jobID = video.jobID
    }
}

/// A job as JSON, the same in the HTTP API and on the command line.
public struct JobDocument: Sendable, Codable, Hashable {
    /// Id of the job.
    public var id: JobID
    /// The state of the job.
    public var state: Job.State
    /// Transcoding profile.
    public var profile: String
    /// 1 plus the number of retries of the job.
    public var attempt: Int
    /// When the job was created.
    public var createdAt: Timestamp
    /// When it last changed.
    public var updatedAt: Timestamp
    /// When it ended.
    public var finishedAt: Timestamp?
    /// Number of tasks by their state.
    public var tasks: [String: Int]
    /// The number of encoded frames, over all rungs and tasks.
    public var framesDone: Int
    /// Frames to encode.
    public var framesPlanned: Int
    /// The encoding rate from `JobPace`. Like `speed` and `etaSeconds`, only for a running job.
    public var framesPerSecond: Double?
    /// Seconds of media encoded per second of wall time.
    public var speed: Double?
    /// Estimated seconds until all frames are encoded.
    public var etaSeconds: Double?
    /// Warnings about the source and the output, known in part once the job is planned.
    public var warnings: [MediaWarning]
    /// The error of a failed job.
    public var error: Failure?
    /// The tasks. For operators.
    public var taskList: [TaskDocument]?

    /// - Parameter tasks: All tasks of the job.
    public init(_ job: Job, tasks: [WorkTask], for reader: DocumentReader, now: Timestamp = .now) {
        id = job.id
        state = job.state
        profile = job.profile
        attempt = job.attempt
        createdAt = job.createdAt
        updatedAt = job.updatedAt
        finishedAt = job.finishedAt
        self.tasks = Dictionary(grouping: tasks, by: \.state.rawValue).mapValues(\.count)
        framesDone = tasks.reduce(0) { $0 + $1.framesDone }
        framesPlanned = tasks.reduce(0) { $0 + $1.framesPlanned }
        let pace = JobPace(of: job, tasks: tasks, now: now)
        (framesPerSecond, speed, etaSeconds) = (pace?.framesPerSecond, pace?.speed, pace?.etaSeconds)
        // The finish task collects those of all tasks.
        warnings =
            job.state == .succeeded
            ? job.warnings : (job.warnings + tasks.flatMap { $0.result?.warnings ?? [] }).bounded()
        error = job.error.map { Failure($0, for: reader) }
        taskList = reader == .operator ? tasks.map(TaskDocument.init) : nil
    }
}

/// A task as JSON, without its result.
public struct TaskDocument: Sendable, Codable, Hashable {
    /// Id of the task.
    public var id: TaskID
    /// The kind of the task.
    public var kind: WorkTask.Kind
    /// The index of the chunk or track within the job; 0 for other kinds.
    public var index: Int
    /// The state of the task.
    public var state: WorkTask.State
    /// The number of claims, which is also the fencing number of the current claim.
    public var attempt: Int
    /// The worker that runs the task, or ran it last.
    public var owner: String?
    /// Encoded frames, over all rungs.
    public var framesDone: Int
    /// Frames to encode.
    public var framesPlanned: Int
    /// The error of the last failed attempt.
    public var error: Failure?

    init(_ task: WorkTask) {
        id = task.id
        kind = task.kind
        index = task.index
        state = task.state
        attempt = task.attempt
        owner = task.owner
        framesDone = task.framesDone
        framesPlanned = task.framesPlanned
        error = task.error
    }
}

/// A video with its jobs and renditions: the output of `clairo status VIDEO --json`.
public struct VideoReport: Sendable, Codable, Hashable {
    /// The version of the document: 2.
    public var schema: Int
    /// The video.
    public var video: VideoDocument
    /// The jobs, newest first.
    public var jobs: [JobDocument]
    /// The renditions, by kind and the largest first.
    public var renditions: [Rendition]

    /// Reads the report from the database; nil if the video does not exist.
    public init?(_ id: VideoID, in metadata: any VideoRecords & JobRecords, for reader: DocumentReader)
        async throws(ClairoError)
    {
        guard let video = try await metadata.video(id) else { return nil }
        schema = 2
        self.video = VideoDocument(video, for: reader)
        renditions = try await metadata.renditions(of: id).map { $0.document(for: reader) }
        jobs = []
        for job in try await metadata.jobs(of: id) {
            jobs.append(JobDocument(job, tasks: try await metadata.listTasks(of: job.id), for: reader))
        }
        self.video.warnings = jobs.first { $0.id == video.jobID }?.warnings
    }

    /// The report as a single document, for the HTTP API.
    public var document: VideoDocument {
        var document = video
        (document.jobs, document.renditions) = (jobs, renditions)
        return document
    }
}

extension Rendition {
    /// The rendition for an audience.
    func document(for reader: DocumentReader) -> Rendition {
        var document = self
        if reader == .client { document.jobID = nil }
        return document
    }
}

extension Failure {
    /// The error for an audience: clients see only errors that they can fix, without internals.
    init(_ failure: Failure, for reader: DocumentReader) {
        guard reader == .client else {
            self = failure
            return
        }
        let message =
            switch failure.kind {
            case .badInput: failure.message
            case .cancelled: "Cancelled"
            case .transient, .capacity, .refused: "The video could not be processed at this time"
            case .usage: "The source or the profile of the video does not exist any more"
            case .defect: "Internal error"
            }
        self.init(kind: failure.kind, message: message)
    }
}

extension Video.State {
    /// Whether nothing is left to wait for but a request.
    public var isFinal: Bool { [.ready, .failed, .cancelled, .deleting].contains(self) }
}
