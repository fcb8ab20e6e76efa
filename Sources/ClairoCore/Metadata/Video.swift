/// An uploaded source and what has become of it.
public struct Video: Sendable, Codable, Hashable {
    public enum State: String, Sendable, Codable, CaseIterable {
        /// The bytes are safe and the message about it is certain to be sent.
        case uploaded
        /// A job is at work on it.
        case processing
        /// Its renditions are published.
        case ready
        /// Its last job failed; `error` says why.
        case failed
        case cancelled
    }

    public var id: VideoID
    public var state: State
    public var title: String?
    /// The file's name as its owner had it: shown, never used as a key or a path.
    public var originalName: String
    /// The named settings it is processed with.
    public var profile: String
    public var priority: Priority
    /// Whose it is: a label by which work is shared out.
    public var tenant: String
    /// Where the source lies in the raw store.
    public var source: ObjectLocation
    /// Bytes of the source.
    public var size: Int64
    /// Hexadecimal SHA-256 of the source.
    public var sha256: String
    /// What `probe` found in the source.
    public var media: MediaInfo?
    /// Follows the video through logs and messages: 32 hexadecimal digits (W3C Trace Context).
    public var traceID: String
    public var uploadedAt: Timestamp
    public var updatedAt: Timestamp
    /// The job that processes it now, or did last.
    public var jobID: JobID?
    /// What was made; nil before the first job has ended well.
    public var output: ProcessedOutput?
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

    public static let defaultTenant = "default"

    /// The key of a video's source in the raw store.
    public static func sourceKey(_ id: VideoID) -> ObjectKey { OutputLayout.source(of: id) }
}

public enum Priority: String, Sendable, Codable, CaseIterable, Comparable {
    case low, normal, high

    /// In SQL, so that the greatest comes first in an index that is read backwards.
    public var rank: Int {
        switch self {
        case .low: 0
        case .normal: 1
        case .high: 2
        }
    }

    public init?(rank: Int) {
        guard let value = Priority.allCases.first(where: { $0.rank == rank }) else { return nil }
        self = value
    }

    public static func < (lhs: Priority, rhs: Priority) -> Bool { lhs.rank < rhs.rank }
}

/// Where the processed video is.
public struct ProcessedOutput: Sendable, Codable, Hashable {
    /// URLs of the HLS multivariant playlist, the DASH manifest, the poster; nil where they were not made.
    public var masterPlaylist: String?
    public var manifest: String?
    public var poster: String?
    /// Available resolutions, largest first, such as `1920x1080`.
    public var resolutions: [String]

    public init(masterPlaylist: String?, manifest: String?, poster: String?, resolutions: [String]) {
        self.masterPlaylist = masterPlaylist
        self.manifest = manifest
        self.poster = poster
        self.resolutions = resolutions
    }
}

/// A rung made real, as the database knows it.
public struct Rendition: Sendable, Codable, Hashable {
    public var videoID: VideoID
    public var jobID: JobID
    /// Such as `1080p`.
    public var name: String
    public var width: Int
    public var height: Int
    public var codec: String
    /// Bits per second.
    public var averageRate: Int64
    public var peakRate: Int64
    public var bytes: Int64
    public var playlistURL: String?
    public var mp4URL: String?

    public init(
        videoID: VideoID, jobID: JobID, name: String, width: Int, height: Int, codec: String, averageRate: Int64,
        peakRate: Int64, bytes: Int64, playlistURL: String?, mp4URL: String?
    ) {
        self.videoID = videoID
        self.jobID = jobID
        self.name = name
        self.width = width
        self.height = height
        self.codec = codec
        self.averageRate = averageRate
        self.peakRate = peakRate
        self.bytes = bytes
        self.playlistURL = playlistURL
        self.mp4URL = mp4URL
    }
}

/// Why something failed, as it is kept and shown.
public struct Failure: Sendable, Codable, Hashable {
    public var kind: ClairoError.Kind
    public var message: String
    public var advice: String?

    public init(kind: ClairoError.Kind, message: String, advice: String? = nil) {
        self.kind = kind
        self.message = message
        self.advice = advice
    }

    public init(_ error: ClairoError) { self.init(kind: error.kind, message: error.message, advice: error.advice) }
}
