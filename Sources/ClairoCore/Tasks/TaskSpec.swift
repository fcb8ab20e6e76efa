/// The complete description of a task. The engine in this process, a child process and a container get the same
/// document. It contains no credentials and names no service; the task reads and writes through its `TaskIO`.
///
/// The JSON form has a `schema`, and `work` is an object with one member, named after the kind. `plan`, `chunk`,
/// `track` and `finish` are the tasks of a job; commands run the other kinds directly.
public struct TaskSpec: Sendable, Codable, Hashable {
    /// Version of the document. Version 3 has renditions of all kinds.
    public static let currentSchema = 3
    /// The versions that this program runs. Dead letters may hold older ones.
    public static let knownSchemas = 2...currentSchema

    /// The work of a task and its input.
    public enum Work: Sendable, Codable, Hashable {
        /// Checks whether the source can be transcoded, before it becomes a video. Not a task of a job.
        case probe(name: String, settings: TranscodeSettings = TranscodeSettings())
        /// Describes the source, whether or not it can be transcoded. Not a task of a job.
        case inspect(name: String)
        /// Probes the source and plans the output.
        case plan(PlanRequest)
        /// Makes the segments of `plan.chunks[index]` for all rungs, and decodes them once.
        case chunk(Plan, index: Int)
        /// Makes the track `plan.tracks[index]`.
        case track(Plan, index: Int)
        /// Makes everything that refers to the segments, verifies it, and writes the master playlist last. The plan
        /// names the attempts that made the segments.
        case finish(FinishRequest)
        /// Runs a whole job, or its missing parts.
        case transcode(TranscodeRequest)
        /// Decodes and verifies existing output. Has no source.
        case verify

        /// The work of a task that makes segments of a plan; nil for other kinds, or if the plan has no such task.
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
    /// The trace id of the video, for logs and messages.
    public var traceID: String
    /// The work to do.
    public var work: Work
    /// Decoding threads, or nil for the engine's choice.
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

    /// The input of a plan.
    public struct PlanRequest: Sendable, Codable, Hashable {
        /// The source as recorded with the video, so that it need not be read again.
        public var source: SourceFingerprint
        /// The requested settings.
        public var settings: TranscodeSettings
        /// How the output is encrypted, without keys; nil for clear output.
        public var protection: Protection?

        public init(source: SourceFingerprint, settings: TranscodeSettings, protection: Protection? = nil) {
            self.source = source
            self.settings = settings
            self.protection = protection
        }
    }

    /// The input of a whole job.
    public struct TranscodeRequest: Sendable, Codable, Hashable {
        /// The source.
        public var source: SourceFingerprint
        /// The requested settings.
        public var settings: TranscodeSettings
        /// How much of the machine to use.
        public var resources: TranscodeResources
        /// Subtitles that are not in the source; nil for none.
        public var subtitles: [SubtitleFile]?
        /// How the output is encrypted, without keys; nil for clear output.
        public var protection: Protection?

        public init(
            source: SourceFingerprint, settings: TranscodeSettings, resources: TranscodeResources,
            subtitles: [SubtitleFile]? = nil, protection: Protection? = nil
        ) {
            self.source = source
            self.settings = settings
            self.resources = resources
            self.subtitles = subtitles
            self.protection = protection
        }
    }

    /// The input of a finish task.
    public struct FinishRequest: Sendable, Codable, Hashable {
        /// The plan of the job.
        public var plan: Plan
        /// The files that the tasks wrote, by the keys of `plan`. The packager trusts only these.
        public var segments: [FileRecord]
        /// Warnings about the output, for example a damaged source.
        public var warnings: [MediaWarning]

        public init(plan: Plan, segments: [FileRecord], warnings: [MediaWarning]) {
            self.plan = plan
            self.segments = segments
            self.warnings = warnings
        }
    }
}

extension TaskSpec {
    /// Also accepts the old name of `track`, because dead letters may hold old documents.
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

/// The output of an attempt.
public struct TaskResult: Sendable, Codable, Hashable {
    /// Version of the document.
    public var schema: Int
    /// Set by a probe or an inspection.
    public var media: MediaInfo?
    /// Set by a plan task.
    public var plan: Plan?
    /// Set by a verification, and by a transcode with verification.
    public var verification: VerificationReport?
    /// Warnings for the user. Those of a finish task are all of the job.
    public var warnings: [MediaWarning]
    /// The written files, by their names in the output folder. Set by the host that stores them.
    public var files: [FileRecord]
    /// The number of decoded frames.
    public var decodedFrames: Int
    /// The number of decoder errors.
    public var decodeErrors: Int
    /// The number of source frames that a chunk shows for the first time. Nil in results of older versions.
    public var shownFrames: Int?
    /// Set by a track of audio.
    public var loudness: AudioLoudness?
    /// Set by a finish task: the published renditions of all kinds, in the order of the plan.
    public var renditions: [RenditionRecord]
    /// The resources that the attempt used.
    public var usage: TaskUsage

    public init(
        media: MediaInfo? = nil, plan: Plan? = nil, verification: VerificationReport? = nil,
        warnings: [MediaWarning] = [], files: [FileRecord] = [], decodedFrames: Int = 0, decodeErrors: Int = 0,
        shownFrames: Int? = nil, loudness: AudioLoudness? = nil, renditions: [RenditionRecord] = [],
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
        self.shownFrames = shownFrames
        self.loudness = loudness
        self.renditions = renditions
        self.usage = usage
    }
}

/// The resources used by an attempt.
public struct TaskUsage: Sendable, Codable, Hashable {
    /// CPU time of all threads.
    public var cpuSeconds: Double
    /// Time from start to end.
    public var wallSeconds: Double
    /// The peak resident set in bytes, or 0 if unknown.
    public var peakMemory: Int64
    /// Seconds that the task's threads spent in each step, keyed by `TaskStep` names so that other versions' results
    /// can be decoded. Nil if not measured.
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

/// The steps of a task's threads. They do not overlap and do not cover all time.
public enum TaskStep: String, Sendable, CaseIterable {
    /// Waiting for bytes of the source.
    case read
    /// Decoding the source.
    case decode
    /// Rotating, scaling, deinterlacing and color mapping.
    case conform
    /// Encoding.
    case encode
    /// Decoding the result before it is written.
    case verify
    /// Waiting for the store.
    case write
}
