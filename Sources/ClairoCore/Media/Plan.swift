/// Everything that a job will make, decided before anything is encoded. Segment boundaries, names and encoder settings
/// follow from the plan alone, so any worker can make any part of it, repeatedly, and the parts fit together.
public struct Plan: Sendable, Codable, Hashable {
    /// Incremented when the same settings would give different bytes.
    public static let currentVersion = 3

    /// The version of the plan; see `currentVersion`.
    public var version: Int
    /// The source of the plan.
    public var source: SourceFingerprint
    /// The requested settings.
    public var settings: TranscodeSettings
    /// The time on the container's timeline, in seconds, that becomes 0 in the output.
    public var origin: Rational
    /// The video; nil for audio without video.
    public var video: VideoPlan?
    /// The audio tracks, the default track first. Empty for video without audio.
    public var audio: [AudioPlan]
    /// The text tracks. Nil for none, and in plans of older versions.
    public var text: [TextPlan]?
    /// The storyboard; nil if none is made.
    public var images: [ImagePlan]?
    /// The chunks, in order.
    public var chunks: [Chunk]
    /// The predicted cost of the output.
    public var prediction: Prediction
    /// The corrections of timestamps, by the index of the stream, in the order of its packets. Without any, a stream's
    /// times are used as they are. Nil in plans of older versions.
    public var corrections: [Int: [ClockCorrection]]?
    /// What joins the streams of the source to tracks. Nil for a source whose streams are its tracks.
    public var parts: SourceParts?
    /// How the output is encrypted; nil for clear output.
    public var protection: Protection?

    public init(
        version: Int = Plan.currentVersion, source: SourceFingerprint, settings: TranscodeSettings, origin: Rational,
        video: VideoPlan?, audio: [AudioPlan], text: [TextPlan]? = nil, images: [ImagePlan]? = nil, chunks: [Chunk],
        prediction: Prediction,
        corrections: [Int: [ClockCorrection]]? = nil, parts: SourceParts? = nil
    ) {
        self.version = version
        self.source = source
        self.settings = settings
        self.origin = origin
        self.video = video
        self.audio = audio
        self.text = text
        self.images = images
        self.chunks = chunks
        self.prediction = prediction
        self.corrections = corrections
        self.parts = parts
    }

    /// The duration of the output in seconds: the video's, or else the audio's.
    public var duration: Rational {
        video?.grid.duration ?? audio.map(\.duration).max() ?? .zero
    }
}

/// An estimate for content of average complexity, within a factor of about two.
public struct Prediction: Sendable, Codable, Hashable {
    /// Size of the output.
    public var bytes: Int64
    /// CPU time in seconds.
    public var cpuSeconds: Double

    public init(bytes: Int64, cpuSeconds: Double) {
        self.bytes = bytes
        self.cpuSeconds = cpuSeconds
    }
}
