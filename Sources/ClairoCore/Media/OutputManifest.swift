/// `clairo.json` in an output folder: what was planned, of which source, and once the job is done what was made.
///
/// It is written first with state `running`, which is what makes an interrupted job resumable, and again at the end with
/// state `complete`. It holds no times of day: the same job gives the same file.
public struct OutputManifest: Sendable, Codable, Hashable {
    /// Whether the output is published.
    public enum State: String, Sendable, Codable, Hashable { case running, complete }

    /// Whether the output is published.
    public var state: State
    /// Program and library versions that made the output, for example `clairo 0.1.0 libav 5.1.9`.
    public var generator: String
    /// SHA-256 over everything that decides the bytes of the output: source, settings, rungs, generator.
    public var planID: String
    /// What was planned.
    public var plan: Plan
    /// What was made of each rung, largest first.
    public var renditions: [RenditionRecord]
    /// What was made of each audio track.
    public var audio: [AudioRecord]
    /// Every file of the output but this one, sorted by key.
    public var files: [FileRecord]
    /// What a reader should know: the source was cut short, a stream was left out.
    public var warnings: [String]

    public init(
        state: State, generator: String, planID: String, plan: Plan, renditions: [RenditionRecord] = [],
        audio: [AudioRecord] = [], files: [FileRecord] = [], warnings: [String] = []
    ) {
        self.state = state
        self.generator = generator
        self.planID = planID
        self.plan = plan
        self.renditions = renditions
        self.audio = audio
        self.files = files
        self.warnings = warnings
    }
}

/// A rung made real.
public struct RenditionRecord: Sendable, Codable, Hashable {
    /// Name of the rung, such as `1080p`.
    public var name: String
    /// Width and height.
    public var size: FrameSize
    /// Codec string, such as `avc1.640028`.
    public var codec: String
    /// Frames per second.
    public var frameRate: Rational
    /// Number of frames.
    public var frameCount: Int
    /// Seconds.
    public var duration: Double
    /// Bits per second.
    public var averageRate: Int64
    /// Highest rate of a segment.
    public var peakRate: Int64
    /// Size of all segments.
    public var bytes: Int64

    public init(
        name: String, size: FrameSize, codec: String, frameRate: Rational, frameCount: Int, duration: Double,
        averageRate: Int64, peakRate: Int64, bytes: Int64
    ) {
        self.name = name
        self.size = size
        self.codec = codec
        self.frameRate = frameRate
        self.frameCount = frameCount
        self.duration = duration
        self.averageRate = averageRate
        self.peakRate = peakRate
        self.bytes = bytes
    }
}

/// An audio track that was made.
public struct AudioRecord: Sendable, Codable, Hashable {
    /// Name of the track, such as `eng-128k`.
    public var name: String
    /// Language code.
    public var language: String
    /// Codec string, such as `mp4a.40.2`.
    public var codec: String
    /// Number of channels.
    public var channels: Int
    /// Duration in seconds.
    public var duration: Double
    /// Average rate, bits per second.
    public var averageRate: Int64
    /// Size of all segments.
    public var bytes: Int64

    public init(
        name: String, language: String, codec: String, channels: Int, duration: Double, averageRate: Int64, bytes: Int64
    ) {
        self.name = name
        self.language = language
        self.codec = codec
        self.channels = channels
        self.duration = duration
        self.averageRate = averageRate
        self.bytes = bytes
    }
}

/// A file of the output and its checksum.
public struct FileRecord: Sendable, Codable, Hashable {
    /// Path in the output folder.
    public var key: String
    /// Size in bytes.
    public var bytes: Int64
    /// Hexadecimal SHA-256.
    public var sha256: String

    public init(key: String, bytes: Int64, sha256: String) {
        self.key = key
        self.bytes = bytes
        self.sha256 = sha256
    }
}
