/// A piece of a job that one worker does. (Named so because `Task` is Swift's own.)
public struct WorkTask: Sendable, Codable, Hashable {
    /// A task that has taken so many workers with it is the cause.
    public static let mostAttempts = 25

    /// What a task does.
    public enum Kind: String, Sendable, Codable, CaseIterable {
        /// Reads the source and decides what to make.
        case plan
        /// Makes the segments of a chunk, of all rungs.
        case chunk
        /// Makes all segments of a track.
        case track
        /// Writes playlists and everything that refers to segments, and publishes.
        case finish

        /// Whether a task of this kind makes segments. When all of a job have ended well, the finish task follows.
        public var makesSegments: Bool {
            switch self {
            case .chunk, .track: true
            case .plan, .finish: false
            }
        }

        /// Takes the name that older programs gave to `track`, too.
        public init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            let word = try container.decode(String.self)
            guard let kind = word == "audio" ? .track : Self(rawValue: word) else {
                throw DecodingError.dataCorruptedError(in: container, debugDescription: "There is no such kind of task")
            }
            self = kind
        }
    }

    /// What became of a task.
    public enum State: String, Sendable, Codable, CaseIterable {
        /// In this order; the last three are final.
        case pending, running, succeeded, failed, cancelled

        /// Whether the task has ended.
        public var isFinal: Bool { [.succeeded, .failed, .cancelled].contains(self) }
    }

    /// Id of the task.
    public var id: TaskID
    /// Its job.
    public var jobID: JobID
    /// Its video.
    public var videoID: VideoID
    /// What the task does.
    public var kind: Kind
    /// The chunk's or track's number within the job; 0 for the others.
    public var index: Int
    /// What became of the task.
    public var state: State
    /// Priority of its job.
    public var priority: Priority
    /// Its place in the queue: of the tasks that may be taken, the one with the earliest goes first.
    public var queueAt: Timestamp
    /// How often it has been claimed: the fencing number of the claim that holds.
    public var attempt: Int
    /// Attempts that it may take.
    public var maxAttempts: Int
    /// The worker that holds it, and until when; after that anybody may take it over.
    public var owner: String?
    /// When the claim expires.
    public var leaseUntil: Timestamp?
    /// When its last claim was made, by that worker's clock; nil before the first.
    public var claimedAt: Timestamp?
    /// Not to be taken before this moment.
    public var notBefore: Timestamp
    /// Encoded frames, over all rungs.
    public var framesDone: Int
    /// Frames to encode.
    public var framesPlanned: Int
    /// What its last attempt made; nil before one has ended well.
    public var result: TaskResult?
    /// Why its last attempt failed.
    public var error: Failure?
    /// When it was created.
    public var createdAt: Timestamp
    /// When it last changed.
    public var updatedAt: Timestamp

    public init(
        id: TaskID, jobID: JobID, videoID: VideoID, kind: Kind, index: Int = 0, state: State = .pending,
        priority: Priority, queueAt: Timestamp? = nil, attempt: Int = 0, maxAttempts: Int = 5, owner: String? = nil,
        leaseUntil: Timestamp? = nil, claimedAt: Timestamp? = nil,
        notBefore: Timestamp, framesDone: Int = 0, framesPlanned: Int = 0, result: TaskResult? = nil,
        error: Failure? = nil, createdAt: Timestamp, updatedAt: Timestamp? = nil
    ) {
        self.id = id
        self.jobID = jobID
        self.videoID = videoID
        self.kind = kind
        self.index = index
        self.state = state
        self.priority = priority
        self.queueAt = queueAt ?? createdAt
        self.attempt = attempt
        self.maxAttempts = maxAttempts
        self.owner = owner
        self.leaseUntil = leaseUntil
        self.claimedAt = claimedAt
        self.notBefore = notBefore
        self.framesDone = framesDone
        self.framesPlanned = framesPlanned
        self.result = result
        self.error = error
        self.createdAt = createdAt
        self.updatedAt = updatedAt ?? createdAt
    }
}
