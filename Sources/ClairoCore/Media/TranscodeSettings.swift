/// A way to package the output.
public enum OutputFormat: String, Sendable, Codable, Hashable, CaseIterable {
    /// HTTP Live Streaming (RFC 8216bis) with CMAF segments.
    case hls
    /// MPEG-DASH (ISO/IEC 23009-1), static, on the same segments.
    case dash
    /// One progressive MP4 per rung, with its index at the front.
    case mp4
}

/// Where the segments of HLS and DASH are.
public enum SegmentStorage: String, Sendable, Codable, Hashable, CaseIterable {
    /// Each in a file of its own.
    case files
    /// All of a rendition in one file, which players read by byte ranges.
    case single
}

/// The settings that determine a job's result. How it is processed (jobs, memory, progress) is not part of them.
///
/// `fields` is the table of all settings with name, range, default and help. The command line, profiles, JSON and the
/// comparison of two runs use it.
public struct TranscodeSettings: Sendable, Hashable {
    /// How the output is packaged.
    public var formats = OutputFormat.allCases
    /// The codecs of the video. Each makes a ladder of its own.
    public var codecs: [VideoCodec] = [.h264]
    /// Whether HDR is kept.
    public var hdr = HDRMode.auto
    /// Short sides of the rungs to make, or nil for the whole ladder.
    public var heights: [Int]?
    /// Constant rate factor of x264; lower is better. Other codecs get the factor that gives the same quality.
    public var quality = 23.0
    /// x264 preset. Other codecs get a preset of similar effort.
    public var preset = "medium"
    /// Nominal segment duration.
    public var segmentSeconds = 6.0
    /// Where segments are.
    public var segments = SegmentStorage.files
    /// The approximate CPU seconds of a chunk, the unit of parallel work and of retries.
    public var chunkCPUSeconds = 60.0
    /// Seconds from the start of the source at which the output begins.
    public var start: Rational?
    /// Seconds of the source to transcode, or nil for all.
    public var duration: Rational?
    /// The formats of audio to make; nil for AAC, and for AAC in 5.1 where the source has 5.1 or more.
    public var audio: [AudioFormat]?
    /// The languages of audio to make, as ISO 639 codes; nil for all.
    public var audioLanguages: [String]?
    /// The loudness in LUFS that each audio track is brought to; nil to leave it as it is.
    public var loudness: Double?
    /// `auto` for all text of the source, `none` to leave it out.
    public var subtitles = "auto"
    /// Whether a compatible source becomes a rung without encoding.
    public var copyCompatible = false
    /// Whether a damaged or truncated source is accepted.
    public var allowPartial = false
    /// Whether the output has a storyboard.
    public var storyboard = true
    /// Seconds from the start of the output of the frame that becomes the poster, or nil for the best of several.
    public var posterAt: Rational?
    /// How segments are encrypted; nil for clear segments.
    public var encrypt: EncryptionScheme?
    /// Where players get a key, with `{kid}` and `{video}` for the ids; nil for the default of the command.
    public var keyURI: String?
    /// Seconds at the start that stay clear, rounded up to whole segments.
    public var clearLead = 0.0
    /// `pssh` boxes of DRM systems in base64.
    public var systemBoxes: [String]?
    /// Keys of DRM systems in HLS, each as `KEYFORMAT=URI`.
    public var drmKeyURIs: [String]?

    public init(
        formats: [OutputFormat] = OutputFormat.allCases, heights: [Int]? = nil, quality: Double = 23,
        preset: String = "medium", segmentSeconds: Double = 6, segments: SegmentStorage = .files,
        chunkCPUSeconds: Double = 60, start: Rational? = nil, duration: Rational? = nil, copyCompatible: Bool = false,
        allowPartial: Bool = false, codecs: [VideoCodec] = [.h264], hdr: HDRMode = .auto, storyboard: Bool = true,
        posterAt: Rational? = nil
    ) {
        self.formats = formats
        self.codecs = codecs
        self.hdr = hdr
        self.heights = heights
        self.quality = quality
        self.preset = preset
        self.segmentSeconds = segmentSeconds
        self.segments = segments
        self.chunkCPUSeconds = chunkCPUSeconds
        self.start = start
        self.duration = duration
        self.copyCompatible = copyCompatible
        self.allowPartial = allowPartial
        self.storyboard = storyboard
        self.posterAt = posterAt
    }
}

extension TranscodeSettings {
    /// The allowed presets, by the names of x264, the fastest first.
    public static let presets = [
        "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow",
    ]

    /// All settings, in the order of help and manual. A new setting needs a property, a line here, and an option on the
    /// command line (`SettingsOptions`).
    public static let fields: [SettingField] = [
        .choices(
            "formats", option: "format", \.formats, of: OutputFormat.allCases.map { ($0.rawValue, $0) },
            help: "Output formats, comma-separated."),
        .choices(
            "codec", option: "codec", \.codecs, of: VideoCodec.allCases.map { ($0.rawValue, $0) },
            help: "Video codecs, comma-separated. Each makes a ladder."),
        .choice(
            "hdr", \.hdr,
            help:
                "auto keeps HDR of the source in HEVC and AV1, beside a ladder in SDR; keep fails without one of them; "
                + "sdr does not keep it."),
        .list(
            "heights", \.heights, words: "even numbers from 16 to 4320, such as 1080,720,480",
            read: { Int($0.hasSuffix("p") ? $0.dropLast() : $0[...]) },
            isValid: { (16...4320).contains($0) && $0 % 2 == 0 }, order: >, valueName: "list",
            help: "Short sides of the rungs, comma-separated.", absent: "all that fit"),
        .number(
            "quality", \.quality, 0...51, valueName: "crf",
            help: "Constant rate factor of x264; lower is better and larger. Other codecs get the same quality."),
        .choice("preset", \.preset, of: presets, help: "Speed of the encoders."),
        .number(
            "segment-seconds", \.segmentSeconds, key: "segmentSeconds", 1...60, valueName: "seconds",
            help: "Nominal segment length; segments consist of whole GOPs."),
        .choice(
            "segments", \.segments, help: "Segments in files of their own, or a single file for each rendition."),
        .number(
            "chunk-cpu-seconds", \.chunkCPUSeconds, key: "chunkCPUSeconds", 0.001...86_400, valueName: "seconds",
            help: "Approximate CPU time of a chunk. Chunks are encoded in parallel, and repeated when interrupted."),
        .choice(
            "subtitles", \.subtitles, of: ["auto", "none"],
            help: "Subtitles and captions of the source: auto for all that are text, none to leave them out."),
        .time(
            "start", \.start, 0...9_999_999, help: "Seconds from the start of the source to begin at.", absent: "0"),
        .time("duration", \.duration, 0.001...9_999_999, help: "Seconds of the source to transcode.", absent: "all"),
        .list(
            "audio", \.audio, words: "some of \(AudioFormat.allCases.map(\.rawValue).joined(separator: ", "))",
            read: AudioFormat.init(rawValue:), isValid: { _ in true },
            order: { AudioFormat.position($0) < AudioFormat.position($1) }, valueName: "list",
            help: "Formats of audio, comma-separated. Surround formats need a source with surround sound.",
            absent: "aac, and aac-5.1 for surround sound"),
        .list(
            "audio-language", \.audioLanguages, key: "audioLanguage",
            words: "ISO 639 codes such as eng,fra",
            read: { (2...3).contains($0.utf8.count) && $0.utf8.allSatisfy { (97...122).contains($0) } ? $0 : nil },
            isValid: { (2...3).contains($0.utf8.count) }, order: <, valueName: "list",
            help: "Languages of audio, comma-separated.", absent: "every language"),
        .number(
            "loudness", \.loudness, -40 ... -5, valueName: "lufs",
            help: "Loudness of audio in LUFS, by one gain for a whole track and a true peak of at most -1 dBTP.",
            absent: "as the source"),
        .flag(
            "allow-partial", \.allowPartial, key: "allowPartial",
            help: "Transcode the readable part of a truncated or damaged source."),
        .flag(
            "copy-compatible", \.copyCompatible, key: "copyCompatible",
            help: "Copy a source that already has the format of a rung, without encoding."),
        .flag(
            "storyboard", option: "no-storyboard", \.storyboard, key: "storyboard",
            help: "Make no pictures for the preview on a player's seek bar."),
        .time(
            "poster-at", \.posterAt, key: "posterAt", 0...9_999_999,
            help: "Seconds from the start of the output of the frame that becomes the poster.",
            absent: "the best of several frames", isInProfiles: true),
        .option(
            "encrypt", \.encrypt, of: EncryptionScheme.allCases.map { ($0.rawValue, $0) },
            help: "Encrypt the segments of video and audio.", absent: "none"),
        .text(
            "key-uri", \.keyURI, key: "keyURI", words: "a URI, in which {kid} stands for the id of a key",
            isValid: Protection.isURI, valueName: "uri", help: "Where players get the keys of encrypted segments.",
            absent: "/keys/{kid}, or clairo serve"),
        .number(
            "clear-lead", \.clearLead, key: "clearLead", 0...600, valueName: "seconds",
            help: "Seconds at the start that are not encrypted, so that players need no key to begin."),
        .texts(
            "pssh", \.systemBoxes, words: "pssh boxes in base64", isValid: { Protection.systemBox($0) != nil },
            valueName: "list", help: "Boxes of DRM systems to pass through, comma-separated.", absent: "none"),
        .texts(
            "drm-key-uris", \.drmKeyURIs, key: "drmKeyURIs",
            words: "items such as com.apple.streamingkeydelivery=skd://{kid}",
            isValid: { Protection.DRMKeyURI($0) != nil }, valueName: "list",
            help: "Keys of DRM systems for HLS playlists, as KEYFORMAT=URI, comma-separated.", absent: "none"),
    ]

    /// The formats that are made: all that were asked for and that an encrypted output can have.
    public var outputFormats: [OutputFormat] { formats.filter { encrypt?.formats.contains($0) ?? true } }

    /// The field with a name; nil if there is none.
    public static func field(_ name: String) -> SettingField? { fields.first { $0.name == name } }

    /// Checks all ranges, because documents may come from other programs.
    /// - Throws: The problem of the first invalid setting.
    public func validate() throws(SettingProblem) {
        for field in Self.fields { try field.validate(self) }
        // All formats are the default, of which those remain that are possible.
        if let encrypt, formats != OutputFormat.allCases, outputFormats != formats {
            let possible = encrypt.formats.map(\.rawValue).joined(separator: ",")
            throw SettingProblem(
                field: "formats", option: "format",
                problem: "\(formats.map(\.rawValue).joined(separator: ",")) is not possible with \(encrypt.rawValue)",
                advice: "Give \(possible).")
        }
        guard let encrypt, segments == .single else { return }
        // Players decrypt a byte range of a file only as a part of samples.
        guard encrypt.encryptsSamples else {
            throw SettingProblem(
                field: "segments", option: "segments", problem: "single is not possible with \(encrypt.rawValue)",
                advice: "Give files, or encrypt with cbcs or cenc.")
        }
        guard clearLead == 0 else {
            throw SettingProblem(
                field: "segments", option: "segments", problem: "single is not possible with a clear lead",
                advice: "Give files, or no clear lead.")
        }
    }

    /// The fields in which two settings differ.
    public static func differences(_ a: TranscodeSettings, _ b: TranscodeSettings) -> [SettingField] {
        fields.filter { !$0.isEqual(a, b) }
    }
}

extension TranscodeSettings: Codable {
    /// Missing settings keep their defaults, because documents outlive the version that wrote them.
    public init(from decoder: any Decoder) throws {
        self.init()
        let container = try decoder.container(keyedBy: SettingField.Key.self)
        for field in Self.fields { try field.decode(container, &self) }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: SettingField.Key.self)
        for field in Self.fields { try field.encode(self, &container) }
    }
}
