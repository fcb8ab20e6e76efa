/// A planned video rendition.
public struct Rung: Sendable, Hashable {
    /// The short side and `p`, then what differs from H.264 in SDR: `1080p`, `1080p-hevc`, `1080p-av1-hdr`. Also the
    /// name of its folder.
    public var id: String
    /// The codec.
    public var codec: VideoCodec
    /// The dynamic range.
    public var dynamicRange: DynamicRange
    /// Bits per component: 8 or 10.
    public var bitDepth: Int
    /// The wave that makes it; see `Chunk.wave`.
    public var wave: Int
    /// Width and height.
    public var size: FrameSize
    /// The maximum bit rate in bits per second (x264's VBV maxrate).
    public var maxRate: Int64
    /// The VBV buffer in bits.
    public var bufferSize: Int64
    /// The number of segments that one encoder makes; nil for that of the video. Equal for all rungs of a wave.
    public var segmentsPerEncoder: Int?
    /// Set if the source's coded pictures are copied: the number of frames by which decoding order is ahead of
    /// presentation order.
    public var copyReorderDelay: Int?
    /// Segments made by a later attempt than the first. Their names contain the attempt, so that a worker that lost its
    /// claim cannot change them. Nil if all first attempts succeeded.
    public var laterAttempts: [SegmentAttempt]?

    public init(
        id: String, codec: VideoCodec = .h264, dynamicRange: DynamicRange = .sdr, bitDepth: Int = 8, wave: Int = 0,
        size: FrameSize, maxRate: Int64, bufferSize: Int64, segmentsPerEncoder: Int? = nil,
        copyReorderDelay: Int? = nil
    ) {
        self.id = id
        self.codec = codec
        self.dynamicRange = dynamicRange
        self.bitDepth = bitDepth
        self.wave = wave
        self.size = size
        self.segmentsPerEncoder = segmentsPerEncoder
        self.maxRate = maxRate
        self.bufferSize = bufferSize
        self.copyReorderDelay = copyReorderDelay
    }

    /// Whether the source's video is copied without encoding.
    public var isCopy: Bool { copyReorderDelay != nil }
}

extension Rung {
    /// The id of a rung: the short side, and what differs from H.264 in SDR.
    public static func id(shortSide: Int, codec: VideoCodec = .h264, dynamicRange: DynamicRange = .sdr) -> String {
        "\(shortSide)p" + (codec == .h264 ? "" : "-\(codec.rawValue)") + (dynamicRange == .sdr ? "" : "-hdr")
    }
}

extension Rung: Codable {
    private enum CodingKeys: String, CodingKey {
        case id, name, codec, dynamicRange, bitDepth, wave, size, maxRate, bufferSize, segmentsPerEncoder
        case copyReorderDelay, laterAttempts
    }

    /// Also accepts plans of older versions, in which every rung is H.264 in SDR and has a `name`.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            id: try container.decodeIfPresent(String.self, forKey: .id)
                ?? container.decode(String.self, forKey: .name),
            codec: try container.decodeIfPresent(VideoCodec.self, forKey: .codec) ?? .h264,
            dynamicRange: try container.decodeIfPresent(DynamicRange.self, forKey: .dynamicRange) ?? .sdr,
            bitDepth: try container.decodeIfPresent(Int.self, forKey: .bitDepth) ?? 8,
            wave: try container.decodeIfPresent(Int.self, forKey: .wave) ?? 0,
            size: try container.decode(FrameSize.self, forKey: .size),
            maxRate: try container.decode(Int64.self, forKey: .maxRate),
            bufferSize: try container.decode(Int64.self, forKey: .bufferSize),
            segmentsPerEncoder: try container.decodeIfPresent(Int.self, forKey: .segmentsPerEncoder),
            copyReorderDelay: try container.decodeIfPresent(Int.self, forKey: .copyReorderDelay))
        laterAttempts = try container.decodeIfPresent([SegmentAttempt].self, forKey: .laterAttempts)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode(codec, forKey: .codec)
        try container.encode(dynamicRange, forKey: .dynamicRange)
        try container.encode(bitDepth, forKey: .bitDepth)
        try container.encode(wave, forKey: .wave)
        try container.encode(size, forKey: .size)
        try container.encode(maxRate, forKey: .maxRate)
        try container.encode(bufferSize, forKey: .bufferSize)
        try container.encodeIfPresent(segmentsPerEncoder, forKey: .segmentsPerEncoder)
        try container.encodeIfPresent(copyReorderDelay, forKey: .copyReorderDelay)
        try container.encodeIfPresent(laterAttempts, forKey: .laterAttempts)
    }
}

extension Rung: RenditionKeys {
    /// Always video.
    public var kind: RenditionKind { .video }
    /// The key of its I-frame playlist.
    public var iframePlaylistKey: ObjectKey { OutputLayout.iframePlaylist(kind, id) }

    public func attempt(ofSegment index: Int) -> Int {
        laterAttempts?.first { $0.segments.contains(index) }?.attempt ?? 1
    }
}

/// The attempt that made a range of segments.
public struct SegmentAttempt: Sendable, Codable, Hashable {
    /// The indexes of the segments.
    public var segments: Range<Int>
    /// The attempt that made them, which is part of their names.
    public var attempt: Int

    public init(segments: Range<Int>, attempt: Int) {
        self.segments = segments
        self.attempt = attempt
    }
}

/// A rung that was considered, and the reason for keeping or dropping it.
public struct LadderDecision: Sendable, Hashable {
    /// The decision about a rung.
    public enum Verdict: String, Sendable, Codable, Hashable {
        /// Encoded; encoded with the rate of the source; copied without encoding; not made.
        case kept, capped, copied, dropped
    }

    /// The id of the rung, such as `720p`.
    public var id: String
    /// Width and height.
    public var size: FrameSize
    /// The decision.
    public var verdict: Verdict
    /// The reason, for people.
    public var reason: String

    public init(id: String, size: FrameSize, verdict: Verdict, reason: String) {
        self.id = id
        self.size = size
        self.verdict = verdict
        self.reason = reason
    }
}

extension LadderDecision: Codable {
    private enum CodingKeys: String, CodingKey { case id, name, size, verdict, reason }

    /// Also accepts `name` for `id`, as in plans of older versions.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            id: try container.decodeIfPresent(String.self, forKey: .id)
                ?? container.decode(String.self, forKey: .name),
            size: try container.decode(FrameSize.self, forKey: .size),
            verdict: try container.decode(Verdict.self, forKey: .verdict),
            reason: try container.decode(String.self, forKey: .reason))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode(size, forKey: .size)
        try container.encode(verdict, forKey: .verdict)
        try container.encode(reason, forKey: .reason)
    }
}
