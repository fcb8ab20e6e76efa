/// An uploaded source and its state.
public struct Video: Sendable, Codable, Hashable {
    /// The state of a video.
    public enum State: String, Sendable, Codable, CaseIterable {
        /// The source is stored, and its message is certain to be sent.
        case uploaded
        /// A job is processing it.
        case processing
        /// Its renditions are published.
        case ready
        /// Its last job failed; see `error`.
        case failed
        /// Its last job was stopped.
        case cancelled
        /// Its bytes are being removed. The row is deleted when they are gone.
        case deleting
    }

    /// Id of the video.
    public var id: VideoID
    /// The state of the video.
    public var state: State
    /// Title for people.
    public var title: String?
    /// The owner's file name. For display, never part of a key or path.
    public var originalName: String
    /// The name of the profile.
    public var profile: String
    /// The priority in the queue.
    public var priority: Priority
    /// The tenant, for fair scheduling.
    public var tenant: String
    /// The location of the source in the raw store.
    public var source: ObjectLocation
    /// The size of the source in bytes.
    public var size: Int64
    /// The SHA-256 of the source in hexadecimal.
    public var sha256: String
    /// The probe result.
    public var media: MediaInfo?
    /// Correlates logs and messages: 32 hexadecimal digits (W3C Trace Context).
    public var traceID: String
    /// When the upload was complete.
    public var uploadedAt: Timestamp
    /// When this record last changed.
    public var updatedAt: Timestamp
    /// The current or last job.
    public var jobID: JobID?
    /// Nil before the first successful job.
    public var output: ProcessedOutput?
    /// Why its last job failed.
    public var error: Failure?

    public init(
        id: VideoID, state: State = .uploaded, title: String? = nil, originalName: String, profile: String = "default",
        priority: Priority = .normal, tenant: String = Video.defaultTenant, source: ObjectLocation, size: Int64,
        sha256: String, media: MediaInfo? = nil,
        traceID: String, uploadedAt: Timestamp, updatedAt: Timestamp? = nil, jobID: JobID? = nil,
        output: ProcessedOutput? = nil, error: Failure? = nil
    ) {
        self.id = id
        self.state = state
        self.title = title
        self.originalName = originalName
        self.profile = profile
        self.priority = priority
        self.tenant = tenant
        self.source = source
        self.size = size
        self.sha256 = sha256
        self.media = media
        self.traceID = traceID
        self.uploadedAt = uploadedAt
        self.updatedAt = updatedAt ?? uploadedAt
        self.jobID = jobID
        self.output = output
        self.error = error
    }

    /// The tenant of videos without one.
    public static let defaultTenant = "default"

    /// The key of a video's source in the raw store.
    public static func sourceKey(_ id: VideoID) -> ObjectKey { OutputLayout.source(of: id) }
}

/// The priority in the queue.
public enum Priority: String, Sendable, Codable, CaseIterable, Comparable {
    /// In ascending order.
    case low, normal, high

    /// The value in SQL. The highest comes first in an index read backwards.
    public var rank: Int {
        switch self {
        case .low: 0
        case .normal: 1
        case .high: 2
        }
    }

    /// The priority with a rank; nil if there is none.
    public init?(rank: Int) {
        guard let value = Priority.allCases.first(where: { $0.rank == rank }) else { return nil }
        self = value
    }

    public static func < (lhs: Priority, rhs: Priority) -> Bool { lhs.rank < rhs.rank }
}

/// The published output of a video.
public struct ProcessedOutput: Sendable, Codable, Hashable {
    /// The URL of the HLS multivariant playlist; nil if not made.
    public var masterPlaylist: String?
    /// URL of the DASH manifest.
    public var manifest: String?
    /// URL of the poster.
    public var poster: String?
    /// The frame sizes of the video, each once, largest first, such as `1920x1080`.
    public var resolutions: [String]

    public init(masterPlaylist: String?, manifest: String?, poster: String?, resolutions: [String]) {
        self.masterPlaylist = masterPlaylist
        self.manifest = manifest
        self.poster = poster
        self.resolutions = resolutions
    }
}

/// A stored error.
public struct Failure: Sendable, Codable, Hashable {
    /// Who has to act, and whether another attempt can help.
    public var kind: ClairoError.Kind
    /// What failed, and why.
    public var message: String
    /// What to do about it.
    public var advice: String?

    public init(kind: ClairoError.Kind, message: String, advice: String? = nil) {
        self.kind = kind
        self.message = message
        self.advice = advice
    }

    /// The record of an error.
    public init(_ error: ClairoError) { self.init(kind: error.kind, message: error.message, advice: error.advice) }
}
