/// A finished rendition of any kind, as it was measured. Properties that its kind does not have are nil.
public struct RenditionRecord: Sendable, Hashable {
    /// The name of its folder, such as `1080p` or `eng-aac-128k`: unique among the renditions of its kind.
    public var id: String
    /// The kind.
    public var kind: RenditionKind
    /// The codec string of RFC 6381, such as `avc1.640028`, `mp4a.40.2`, `wvtt` or `jpeg`.
    public var codec: String
    /// Of audio: the codec and the channel layout.
    public var format: AudioFormat?
    /// Width and height of the frames or images.
    public var size: FrameSize?
    /// Frames per second.
    public var frameRate: Rational?
    /// Number of frames.
    public var frameCount: Int?
    /// Of video: the dynamic range of the frames. Nil in records of older versions, which made SDR only.
    public var dynamicRange: DynamicRange?
    /// Of audio: the number of channels.
    public var channels: Int?
    /// Of audio and text: the language code; `und` if unknown.
    public var language: String?
    /// Of audio and text: what the track is for.
    public var role: TrackRole?
    /// Of audio and text: the title from the source.
    public var title: String?
    /// Of audio: what was measured of the whole track before it was encoded, and the gain. Nil if it was not measured.
    public var loudness: AudioLoudness?
    /// The duration in seconds. Nil in rows that older versions wrote.
    public var duration: Double?
    /// The average rate in bits per second.
    public var averageRate: Int64
    /// The peak rate in bits per second.
    public var peakRate: Int64
    /// Size of all segments.
    public var bytes: Int64

    public init(
        id: String, kind: RenditionKind, codec: String, format: AudioFormat? = nil, size: FrameSize? = nil,
        frameRate: Rational? = nil, frameCount: Int? = nil, dynamicRange: DynamicRange? = nil, channels: Int? = nil,
        language: String? = nil, role: TrackRole? = nil, title: String? = nil, loudness: AudioLoudness? = nil,
        duration: Double?, averageRate: Int64, peakRate: Int64, bytes: Int64
    ) {
        self.id = id
        self.kind = kind
        self.codec = codec
        self.format = format
        self.size = size
        self.frameRate = frameRate
        self.frameCount = frameCount
        self.dynamicRange = dynamicRange
        self.channels = channels
        self.language = language
        self.role = role
        self.title = title
        self.loudness = loudness
        self.duration = duration
        self.averageRate = averageRate
        self.peakRate = peakRate
        self.bytes = bytes
    }
}

extension Plan {
    /// All renditions that are published, whether or not they consist of media segments. Each has a record.
    public var published: [any RenditionKeys] { renditions.map { $0 } }
}

extension RenditionRecord {
    /// The order for display: by kind, then the largest first.
    public static func isBefore(_ a: RenditionRecord, _ b: RenditionRecord) -> Bool {
        if a.kind != b.kind { return a.kindIndex < b.kindIndex }
        let heights = (a.size?.height ?? 0, b.size?.height ?? 0)
        if heights.0 != heights.1 { return heights.0 > heights.1 }
        return a.averageRate == b.averageRate ? a.id < b.id : a.averageRate > b.averageRate
    }

    private var kindIndex: Int { RenditionKind.allCases.firstIndex(of: kind) ?? 0 }
}

extension RenditionRecord: Codable {
    private enum CodingKeys: String, CodingKey {
        case id, kind, codec, format, size, frameRate, frameCount, dynamicRange, channels, language, role, title
        case loudness, duration, averageRate, peakRate, bytes
        /// The id in records of older versions, which are all of video.
        case name
    }

    /// Also accepts records of older versions.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let isOld = container.allKeys.contains(.name)
        self.init(
            id: try container.decode(String.self, forKey: isOld ? .name : .id),
            kind: try isOld ? .video : container.decode(RenditionKind.self, forKey: .kind),
            codec: try container.decode(String.self, forKey: .codec),
            format: try container.decodeIfPresent(AudioFormat.self, forKey: .format),
            size: try container.decodeIfPresent(FrameSize.self, forKey: .size),
            frameRate: try container.decodeIfPresent(Rational.self, forKey: .frameRate),
            frameCount: try container.decodeIfPresent(Int.self, forKey: .frameCount),
            dynamicRange: try container.decodeIfPresent(DynamicRange.self, forKey: .dynamicRange),
            channels: try container.decodeIfPresent(Int.self, forKey: .channels),
            language: try container.decodeIfPresent(String.self, forKey: .language),
            role: try container.decodeIfPresent(TrackRole.self, forKey: .role),
            title: try container.decodeIfPresent(String.self, forKey: .title),
            loudness: try container.decodeIfPresent(AudioLoudness.self, forKey: .loudness),
            duration: try container.decodeIfPresent(Double.self, forKey: .duration),
            averageRate: try container.decode(Int64.self, forKey: .averageRate),
            peakRate: try container.decode(Int64.self, forKey: .peakRate),
            bytes: try container.decode(Int64.self, forKey: .bytes))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode(kind, forKey: .kind)
        try container.encode(codec, forKey: .codec)
        try container.encodeIfPresent(format, forKey: .format)
        try container.encodeIfPresent(size, forKey: .size)
        try container.encodeIfPresent(frameRate, forKey: .frameRate)
        try container.encodeIfPresent(frameCount, forKey: .frameCount)
        try container.encodeIfPresent(dynamicRange, forKey: .dynamicRange)
        try container.encodeIfPresent(channels, forKey: .channels)
        try container.encodeIfPresent(language, forKey: .language)
        try container.encodeIfPresent(role, forKey: .role)
        try container.encodeIfPresent(title, forKey: .title)
        try container.encodeIfPresent(loudness, forKey: .loudness)
        try container.encodeIfPresent(duration, forKey: .duration)
        try container.encode(averageRate, forKey: .averageRate)
        try container.encode(peakRate, forKey: .peakRate)
        try container.encode(bytes, forKey: .bytes)
    }

    /// An audio track in a manifest of an older version, all of which are AAC.
    struct OldAudio: Decodable {
        var name: String
        var language: String
        var codec: String
        var channels: Int
        var duration: Double
        var averageRate: Int64
        var bytes: Int64

        /// The peak rate was not measured.
        var record: RenditionRecord {
            RenditionRecord(
                id: name, kind: .audio, codec: codec, format: .aac, channels: channels, language: language,
                duration: duration, averageRate: averageRate, peakRate: averageRate, bytes: bytes)
        }
    }
}
