/// A part of a job that one worker runs. (`Task` is Swift's own.)
public struct WorkTask: Sendable, Codable, Hashable {
    /// After this many attempts, the task is the likely cause of lost workers.
    public static let mostAttempts = 25

    /// The kind of work.
    public enum Kind: String, Sendable, Codable, CaseIterable {
        /// Reads the source and decides what to make.
        case plan
        /// Makes the segments of a chunk, of all rungs.
        case chunk
        /// Makes all segments of a track.
        case track
        /// Writes playlists and everything that refers to segments, and publishes.
        case finish

        /// Whether tasks of this kind make segments. The finish task follows when all of them have succeeded.
        public var makesSegments: Bool {
            switch self {
            case .chunk, .track: true
            case .plan, .finish: false
            }
        }

        /// The names under which tasks of this kind are stored: its own, and `audio` for a track, which programs with a
        /// schema before 3 write.
        public var storedNames: [String] { self == .track ? [rawValue, "audio"] : [rawValue] }

        /// The kind with this stored name; nil if there is none.
        public init?(storedName: String) {
            guard let kind = Self.allCases.first(where: { $0.storedNames.contains(storedName) }) else { return nil }
            self = kind
        }

        /// Decodes a stored name.
        public init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            guard let kind = Self(storedName: try container.decode(String.self)) else {
                throw DecodingError.dataCorruptedError(in: container, debugDescription: "Unknown task kind")
            }
            self = kind
        }
    }

    /// The state of a task.
    public enum State: String, Sendable, Codable, CaseIterable {
        /// In order of progress; the last three are final.
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
    /// The kind of the task.
    public var kind: Kind
    /// The index of the chunk or track within the job; 0 for other kinds.
    public var index: Int
    /// The state of the task.
    public var state: State
    /// Priority of its job.
    public var priority: Priority
    /// Its position in the queue: of the tasks that can be claimed, the earliest goes first.
    public var queueAt: Timestamp
    /// The number of claims, which is also the fencing number of the current claim.
    public var attempt: Int
    /// The maximum number of attempts.
    public var maxAttempts: Int
    /// The worker that holds the task, and the end of its lease. After that, any worker may claim it.
    public var owner: String?
    /// When the claim expires.
    public var leaseUntil: Timestamp?
    /// When it was last claimed, by that worker's clock; nil before the first claim.
    public var claimedAt: Timestamp?
    /// Not claimable before this time.
    public var notBefore: Timestamp
    /// Encoded frames, over all rungs.
    public var framesDone: Int
    /// Frames to encode.
    public var framesPlanned: Int
    /// The result of the last successful attempt, if any.
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
