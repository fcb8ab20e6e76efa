public enum OutputFormat: String, Sendable, Codable, Hashable, CaseIterable {
    /// HTTP Live Streaming (RFC 8216bis) with CMAF segments.
    case hls
    /// MPEG-DASH (ISO/IEC 23009-1), static, on the same segments.
    case dash
    /// One progressive MP4 per rung with its index in front.
    case mp4
}

/// The settings of a job that change what it makes. How fast it is made (jobs, memory, progress) is not part of them.
public struct TranscodeSettings: Sendable, Codable, Hashable {
    public var formats: [OutputFormat]
    /// Short sides to make; nil for the whole ladder.
    public var heights: [Int]?
    /// Constant rate factor of x264, 0 to 51; lower is better.
    public var quality: Double
    /// x264 preset, `ultrafast` to `veryslow`.
    public var preset: String
    public var segmentSeconds: Double
    /// CPU seconds of work in a chunk, about: what is encoded in parallel, and repeated when it was interrupted.
    public var chunkCPUSeconds: Double
    /// Seconds from the start of the source at which the output begins.
    public var start: Rational?
    /// Seconds of the source to take; nil for all.
    public var duration: Rational?
    public var copyCompatible: Bool
    public var allowPartial: Bool

    public init(
        formats: [OutputFormat] = OutputFormat.allCases, heights: [Int]? = nil, quality: Double = 23,
        preset: String = "medium", segmentSeconds: Double = 6, chunkCPUSeconds: Double = 60, start: Rational? = nil,
        duration: Rational? = nil,
        copyCompatible: Bool = false, allowPartial: Bool = false
    ) {
        self.formats = formats
        self.heights = heights
        self.quality = quality
        self.preset = preset
        self.segmentSeconds = segmentSeconds
        self.chunkCPUSeconds = chunkCPUSeconds
        self.start = start
        self.duration = duration
        self.copyCompatible = copyCompatible
        self.allowPartial = allowPartial
    }
}
