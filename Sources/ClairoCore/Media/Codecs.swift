/// A video codec that Clairo encodes. The raw value is used in documents, settings and names of renditions.
public enum VideoCodec: String, Sendable, Codable, Hashable, CaseIterable {
    /// H.264 (ITU-T H.264), which every player decodes.
    case h264
    /// HEVC (ITU-T H.265).
    case hevc
    /// AV1 (AOMedia).
    case av1
}

/// An audio codec that Clairo encodes. The raw value is used in documents.
public enum AudioCodec: String, Sendable, Codable, Hashable, CaseIterable {
    /// AAC-LC (ISO/IEC 14496-3).
    case aac
    /// AC-3 (ETSI TS 102 366).
    case ac3
    /// E-AC-3 (ETSI TS 102 366, Annex E).
    case eac3
    /// Opus (RFC 6716).
    case opus

    /// The samples per channel in an access unit, at 48 kHz.
    public var frameSamples: Int {
        switch self {
        case .aac: 1024
        case .ac3, .eac3: 1536
        case .opus: 960
        }
    }

    /// The samples per channel that the encoder adds in front of the first one, at 48 kHz. An edit list removes them.
    public var priming: Int {
        switch self {
        case .aac: 1024
        case .ac3, .eac3: 256
        case .opus: 312
        }
    }
}

/// An audio codec with a channel layout, as people ask for it. The raw value is used in settings and documents.
public enum AudioFormat: String, Sendable, Codable, Hashable, CaseIterable {
    /// AAC-LC, stereo or mono.
    case aac
    /// AAC-LC with the channels of 5.1.
    case aac51 = "aac-5.1"
    /// E-AC-3 with the channels of 5.1.
    case eac351 = "eac3-5.1"
    /// AC-3 with the channels of 5.1.
    case ac351 = "ac3-5.1"
    /// Opus, stereo or mono.
    case opus

    /// The place in lists.
    static func position(_ format: AudioFormat) -> Int { allCases.firstIndex(of: format) ?? 0 }

    /// The codec.
    public var codec: AudioCodec {
        switch self {
        case .aac, .aac51: .aac
        case .eac351: .eac3
        case .ac351: .ac3
        case .opus: .opus
        }
    }

    /// Whether it has the channels of 5.1.
    public var isSurround: Bool { [.aac51, .eac351, .ac351].contains(self) }
}

/// What a track is for. The raw value is used in documents.
public enum TrackRole: String, Sendable, Codable, Hashable, CaseIterable {
    /// The main content.
    case main
    /// A commentary on it.
    case commentary
    /// A description of what is seen, for people who do not see it.
    case description
    /// The dialog and the sounds as text, for people who do not hear them.
    case captions
    /// Text for the parts in a foreign language, shown also where subtitles are off.
    case forced
}
