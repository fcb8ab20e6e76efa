public import ClairoCore

/// Who a document is for.
public enum DocumentReader: Sendable {
    /// Whoever runs the pipeline: the command line.
    case `operator`
    /// Whoever uploads videos: the HTTP API. Places, workers and internal errors are left out.
    case client
}

/// A video as JSON, the same in the HTTP API and on the command line.
public struct VideoDocument: Sendable, Codable, Hashable {
    /// Id of the video.
    public var id: VideoID
    /// What became of the video.
    public var state: Video.State
    /// Title for people.
    public var title: String?
    /// The file's name as its owner had it.
    public var name: String
    /// Transcoding profile.
    public var profile: String
    /// Place in the queue.
    public var priority: Priority
    /// Tenant, for fair scheduling.
    public var tenant: String
    /// Bytes of the source.
    public var size: Int64
    /// Of the source, in hexadecimal.
    public var sha256: String
    /// As `clairo probe --json` prints it.
    public var media: MediaInfo?
    /// When the upload was complete.
    public var uploadedAt: Timestamp
    /// When this record last changed.
    public var updatedAt: Timestamp
    /// Video output, once a job has succeeded.
    public var output: ProcessedOutput?
    /// Failure of the last job.
    public var error: Failure?
    /// Where the source is. For operators.
    public var source: ObjectLocation?
    /// Follows the video through logs and messages. For operators.
    public var traceID: String?
    /// The current job, or the last one. For operators.
    public var jobID: JobID?
    /// Newest first. Only where one video is asked for through the API.
    public var jobs: [JobDocument]?
    /// Largest first. Only where one video is asked for through the API.
    public var renditions: [RenditionDocument]?

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
    /// What the job is doing.
    public var state: Job.State
    /// Transcoding profile.
    public var profile: String
    /// 1, and one more for each time that the job was retried.
    public var attempt: Int
    /// When the job was created.
    public var createdAt: Timestamp
    /// When it last changed.
    public var updatedAt: Timestamp
    /// When it ended.
    public var finishedAt: Timestamp?
    /// Number of tasks by their state.
    public var tasks: [String: Int]
    /// Encoded frames, over all rungs and tasks.
    public var framesDone: Int
    /// Frames to encode.
    public var framesPlanned: Int
    /// Of `JobPace`; like `speed` and `etaSeconds` only of a running job.
    public var framesPerSecond: Double?
    /// Seconds of output per second.
    public var speed: Double?
    /// Estimated time to the end of encoding.
    public var etaSeconds: Double?
    /// Why it failed.
    public var error: Failure?
    /// Each task. For operators.
    public var taskList: [TaskDocument]?

    /// - Parameter tasks: all of the job's.
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
        error = job.error.map { Failure($0, for: reader) }
        taskList = reader == .operator ? tasks.map(TaskDocument.init) : nil
    }
}

/// A task as JSON, without its own documents, which are for workers.
public struct TaskDocument: Sendable, Codable, Hashable {
    /// Id of the task.
    public var id: TaskID
    /// What the task does.
    public var kind: WorkTask.Kind
    /// Number of the chunk or track within the job, from 0; 0 for the others.
    public var index: Int
    /// What became of the task.
    public var state: WorkTask.State
    /// Number of claims so far; the fencing number of the current one.
    public var attempt: Int
    /// The worker that runs it, or did last.
    public var owner: String?
    /// Encoded frames, over all rungs.
    public var framesDone: Int
    /// Frames to encode.
    public var framesPlanned: Int
    /// Why its last attempt failed.
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

/// A rendition as JSON, the same in the HTTP API and on the command line.
public struct RenditionDocument: Sendable, Codable, Hashable {
    /// Such as `1080p`.
    public var name: String
    /// Width in pixels.
    public var width: Int
    /// Height in pixels.
    public var height: Int
    /// Codec string, such as `avc1.640028`.
    public var codec: String
    /// Bits per second.
    public var averageRate: Int64
    /// Highest rate of a segment.
    public var peakRate: Int64
    /// Size of all segments.
    public var bytes: Int64
    /// URL of its HLS playlist.
    public var playlistURL: String?
    /// URL of its MP4 file.
    public var mp4URL: String?
    /// The job that made it. For operators.
    public var jobID: JobID?

    public init(_ rendition: Rendition, for reader: DocumentReader) {
        name = rendition.name
        (width, height) = (rendition.width, rendition.height)
        codec = rendition.codec
        (averageRate, peakRate) = (rendition.averageRate, rendition.peakRate)
        bytes = rendition.bytes
        (playlistURL, mp4URL) = (rendition.playlistURL, rendition.mp4URL)
        jobID = reader == .operator ? rendition.jobID : nil
    }
}

/// One video with its jobs and renditions: what `clairo status VIDEO --json` prints.
public struct VideoReport: Sendable, Codable, Hashable {
    /// 2.
    public var schema: Int
    /// The video.
    public var video: VideoDocument
    /// Newest first.
    public var jobs: [JobDocument]
    /// Largest first.
    public var renditions: [RenditionDocument]

    /// Reads it from the database; nil where there is no such video.
    public init?(_ id: VideoID, in metadata: any VideoRecords & JobRecords, for reader: DocumentReader) async throws(ClairoError) {
        guard let video = try await metadata.video(id) else { return nil }
        schema = 2
        self.video = VideoDocument(video, for: reader)
        renditions = try await metadata.renditions(of: id).map { RenditionDocument($0, for: reader) }
        jobs = []
        for job in try await metadata.jobs(of: id) {
            jobs.append(JobDocument(job, tasks: try await metadata.tasks(of: job.id), for: reader))
        }
    }

    /// The same in one document, as the HTTP API shows it.
    public var document: VideoDocument {
        var document = video
        (document.jobs, document.renditions) = (jobs, renditions)
        return document
    }
}

extension Failure {
    /// The failure as the reader may see it: clients get what is theirs to mend, and no internals.
    init(_ failure: Failure, for reader: DocumentReader) {
        guard reader == .client else {
            self = failure
            return
        }
        let message =
            switch failure.kind {
            case .badInput: failure.message
            case .cancelled: "Cancelled"
            case .transient, .capacity: "The video could not be processed at this time"
            case .defect, .usage: "Internal error"
            }
        self.init(kind: failure.kind, message: message)
    }
}

extension Video.State {
    /// Whether the state changes no more by itself.
    public var isFinal: Bool { [.ready, .failed, .cancelled].contains(self) }
}
