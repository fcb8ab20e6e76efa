/// The file `clairo.json` of an output folder: the plan, its source, and the result once the job is complete.
///
/// It is first written with state `running`, which allows an interrupted job to be resumed, and again at the end with
/// state `complete`. It contains no timestamps: the same job gives the same file.
public struct OutputManifest: Sendable, Codable, Hashable {
    /// Whether the output is published.
    public enum State: String, Sendable, Codable, Hashable { case running, complete }

    /// Whether the output is published.
    public var state: State
    /// The versions of the program and of libav, for example `clairo 0.1.0 libav 5.1.9`.
    public var generator: String
    /// SHA-256 over everything that determines the output's bytes: source, settings, rungs, generator.
    public var planID: String
    /// The plan.
    public var plan: Plan
    /// The finished rungs, the largest first.
    public var renditions: [RenditionRecord]
    /// The finished audio tracks.
    public var audio: [AudioRecord]
    /// Every other file of the output, sorted by key.
    public var files: [FileRecord]
    /// Warnings about the output, for example that the source was truncated or a stream was dropped.
    public var warnings: [MediaWarning]
    /// In a running job, the segments for which other frames were decoded than the source has. Nil for none, and in a
    /// complete output.
    public var counts: [SegmentCounts]?

    public init(
        state: State, generator: String, planID: String, plan: Plan, renditions: [RenditionRecord] = [],
        audio: [AudioRecord] = [], files: [FileRecord] = [], warnings: [MediaWarning] = []
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

/// A finished rung.
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
    /// The duration in seconds.
    public var duration: Double
    /// The average rate in bits per second.
    public var averageRate: Int64
    /// The peak rate in bits per second.
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

/// A finished audio track.
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
    /// What was measured before it was encoded. Nil in outputs of older versions.
    public var loudness: AudioLoudness?

    public init(
        name: String, language: String, codec: String, channels: Int, duration: Double, averageRate: Int64, bytes: Int64,
        loudness: AudioLoudness? = nil
    ) {
        self.name = name
        self.language = language
        self.codec = codec
        self.channels = channels
        self.duration = duration
        self.averageRate = averageRate
        self.bytes = bytes
        self.loudness = loudness
    }
}

/// A file of the output and its checksum.
public struct FileRecord: Sendable, Codable, Hashable {
    /// Path in the output folder.
    public var key: String
    /// Size in bytes.
    public var bytes: Int64
    /// SHA-256 in hexadecimal.
    public var sha256: String

    public init(key: String, bytes: Int64, sha256: String) {
        self.key = key
        self.bytes = bytes
        self.sha256 = sha256
    }
}
