/// What a worker is to do, whole: the same document goes to the engine in this process, to a child, to a container. It
/// holds no credential and names no service; bytes come and go through its `TaskIO`.
///
/// As JSON it has a `schema`, and `work` is an object with one member, named for the kind: `plan`, `chunk`, `track` and
/// `finish` are the tasks of a job; the others are what a command does by hand.
public struct TaskSpec: Sendable, Codable, Hashable {
    /// Version of the document.
    public static let currentSchema = 1

    /// What is to be done, and with what.
    public enum Work: Sendable, Codable, Hashable {
        /// Look whether the source could be transcoded, before it is any video's. No task of a job.
        case probe(name: String, settings: TranscodeSettings = TranscodeSettings())
        /// Look into the source, whether or not it could be transcoded. No task of a job.
        case inspect(name: String)
        /// Look at the source and decide what to make of it.
        case plan(PlanRequest)
        /// Make the segments of `plan.chunks[index]`, all rungs, and decode them once.
        case chunk(Plan, index: Int)
        /// Make the track `plan.tracks[index]`.
        case track(Plan, index: Int)
        /// Make everything that refers to the segments, check it, and write the master playlist last. The plan names the
        /// attempts that made them.
        case finish(FinishRequest)
        /// All of a job at once, or what is missing of it.
        case transcode(TranscodeRequest)
        /// Decode and check the output that is there. It has no source.
        case verify

        /// The work of a task that makes segments of a plan; nil for one of another kind, or one that the plan does not have.
        public init?(_ kind: WorkTask.Kind, index: Int, of plan: Plan) {
            switch kind {
            case .chunk where plan.chunks.indices.contains(index): self = .chunk(plan, index: index)
            case .track where plan.tracks.indices.contains(index): self = .track(plan, index: index)
            case .plan, .chunk, .track, .finish: return nil
            }
        }
    }

    /// Version of the document.
    public var schema: Int
    /// The task.
    public var taskID: TaskID
    /// Its job.
    public var jobID: JobID
    /// Its video.
    public var videoID: VideoID
    /// Number of the attempt.
    public var attempt: Int
    /// Follows the video through logs and messages.
    public var traceID: String
    /// What is to be done.
    public var work: Work
    /// Threads for decoding; nil lets the engine choose.
    public var threads: Int?

    public init(
        taskID: TaskID, jobID: JobID, videoID: VideoID, attempt: Int, traceID: String, work: Work, threads: Int? = nil
    ) {
        schema = Self.currentSchema
        self.taskID = taskID
        self.jobID = jobID
        self.videoID = videoID
        self.attempt = attempt
        self.traceID = traceID
        self.work = work
        self.threads = threads
    }

    /// What a plan is made from.
    public struct PlanRequest: Sendable, Codable, Hashable {
        /// The source as the video's row knows it: it is not read again to be known.
        public var source: SourceFingerprint
        /// What to make of the source.
        public var settings: TranscodeSettings

        public init(source: SourceFingerprint, settings: TranscodeSettings) {
            self.source = source
            self.settings = settings
        }
    }

    /// What a whole job is made from.
    public struct TranscodeRequest: Sendable, Codable, Hashable {
        /// The source.
        public var source: SourceFingerprint
        /// What to make of it.
        public var settings: TranscodeSettings
        /// How much of the machine to use.
        public var resources: TranscodeResources

        public init(source: SourceFingerprint, settings: TranscodeSettings, resources: TranscodeResources) {
            self.source = source
            self.settings = settings
            self.resources = resources
        }
    }

    /// What the end of a job is made from.
    public struct FinishRequest: Sendable, Codable, Hashable {
        /// The plan of the job.
        public var plan: Plan
        /// What the tasks wrote, by the keys of `plan`: the packager believes these and nothing else.
        public var segments: [FileRecord]
        /// What a reader should know, such as a damaged source.
        public var warnings: [String]

        public init(plan: Plan, segments: [FileRecord], warnings: [String]) {
            self.plan = plan
            self.segments = segments
            self.warnings = warnings
        }
    }
}

extension TaskSpec {
    /// Takes the name that older programs gave to `track`, too: dead letters keep documents for long.
    public init(from decoder: any Decoder) throws {
        struct OldWork: Decodable {
            struct Audio: Decodable {
                var _0: Plan
                var index: Int
            }
            var audio: Audio?
        }
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let old = try container.decode(OldWork.self, forKey: .work).audio
        let work = try old.map { .track($0._0, index: $0.index) } ?? container.decode(Work.self, forKey: .work)
        self.init(
            taskID: try container.decode(TaskID.self, forKey: .taskID),
            jobID: try container.decode(JobID.self, forKey: .jobID),
            videoID: try container.decode(VideoID.self, forKey: .videoID),
            attempt: try container.decode(Int.self, forKey: .attempt),
            traceID: try container.decode(String.self, forKey: .traceID), work: work,
            threads: try container.decodeIfPresent(Int.self, forKey: .threads))
        schema = try container.decode(Int.self, forKey: .schema)
    }
}

/// What an attempt made; the document that leaves the executor.
public struct TaskResult: Sendable, Codable, Hashable {
    /// Version of the document.
    public var schema: Int
    /// Of a probe or an inspection.
    public var media: MediaInfo?
    /// Of a plan task.
    public var plan: Plan?
    /// Of a verification, and of a transcode that was to be verified.
    public var verification: VerificationReport?
    /// What a reader should know.
    public var warnings: [String]
    /// What was written, by the names in the output folder. Filled by whoever stores it, not by who made it.
    public var files: [FileRecord]
    /// Pictures that were decoded, and errors of the decoder among them.
    public var decodedFrames: Int
    /// Errors of the decoder.
    public var decodeErrors: Int
    /// Of a finish task: what was published, largest first.
    public var renditions: [RenditionRecord]
    /// What the attempt cost.
    public var usage: TaskUsage

    public init(
        media: MediaInfo? = nil, plan: Plan? = nil, verification: VerificationReport? = nil, warnings: [String] = [],
        files: [FileRecord] = [], decodedFrames: Int = 0, decodeErrors: Int = 0, renditions: [RenditionRecord] = [],
        usage: TaskUsage = TaskUsage()
    ) {
        schema = TaskSpec.currentSchema
        self.media = media
        self.plan = plan
        self.verification = verification
        self.warnings = warnings
        self.files = files
        self.decodedFrames = decodedFrames
        self.decodeErrors = decodeErrors
        self.renditions = renditions
        self.usage = usage
    }
}

/// What an attempt cost.
public struct TaskUsage: Sendable, Codable, Hashable {
    /// CPU time of all threads.
    public var cpuSeconds: Double
    /// Time from start to end.
    public var wallSeconds: Double
    /// Largest resident set in bytes; 0 where it is not known.
    public var peakMemory: Int64
    /// Seconds that the task's threads spent in its steps, added up, by the names of `TaskStep`. By name, so that what another
    /// version of this program wrote can be read; nil where nobody measured it.
    public var steps: [String: Double]?

    /// The cost of an attempt, with the time of each step if it was measured.
    public init(
        cpuSeconds: Double = 0, wallSeconds: Double = 0, peakMemory: Int64 = 0, steps: [TaskStep: Double]? = nil
    ) {
        self.cpuSeconds = cpuSeconds
        self.wallSeconds = wallSeconds
        self.peakMemory = peakMemory
        self.steps = steps.map { steps in
            Dictionary(uniqueKeysWithValues: steps.map { ($0.key.rawValue, $0.value) })
        }
    }

    /// Time spent in a step; nil if it was not measured.
    public func seconds(in step: TaskStep) -> Double? { steps?[step.rawValue] }
}

/// What a task's threads spend their time on. Steps do not overlap, and are not all there is: what is between them counts
/// for none.
public enum TaskStep: String, Sendable, CaseIterable {
    /// Waiting for bytes of the source.
    case read
    /// Decoding the source.
    case decode
    /// Turning, scaling, deinterlacing and mapping colours.
    case conform
    /// Encoding.
    case encode
    /// Decoding what was made, before it is written.
    case verify
    /// Waiting for the store to take it.
    case write
}
