/// `clairo.json` in an output folder: what was planned, of which source, and once the job is done what was made.
///
/// It is written first with state `running`, which is what makes an interrupted job resumable, and again at the end with
/// state `complete`. It holds no times of day: the same job gives the same file.
public struct OutputManifest: Sendable, Codable, Hashable {
    public enum State: String, Sendable, Codable, Hashable { case running, complete }

    public var state: State
    /// Program and library versions that made the output, for example `clairo 0.1.0 libav 5.1.9`.
    public var generator: String
    /// SHA-256 over everything that decides the bytes of the output: source, settings, rungs, generator.
    public var planID: String
    public var plan: Plan
    public var renditions: [RenditionRecord]
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
    public var name: String
    public var size: FrameSize
    public var codec: String
    public var frameRate: Rational
    public var frameCount: Int
    /// Seconds.
    public var duration: Double
    /// Bits per second.
    public var averageRate: Int64
    public var peakRate: Int64
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

public struct AudioRecord: Sendable, Codable, Hashable {
    public var name: String
    public var language: String
    public var codec: String
    public var channels: Int
    public var duration: Double
    public var averageRate: Int64
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

public struct FileRecord: Sendable, Codable, Hashable {
    public var key: String
    public var bytes: Int64
    /// Hexadecimal SHA-256.
    public var sha256: String

    public init(key: String, bytes: Int64, sha256: String) {
        self.key = key
        self.bytes = bytes
        self.sha256 = sha256
    }
}
