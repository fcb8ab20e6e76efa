/// An audio rendition at 48 kHz, encoded as a whole.
public struct AudioPlan: Sendable, Hashable {
    /// Samples per second of every audio track.
    public static let sampleRate = 48_000

    /// The language, the role if it is not the main one, the format and the rate, such as `eng-aac-128k`. Also the name
    /// of the folder.
    public var id: String
    /// The codec and the layout.
    public var format: AudioFormat
    /// What the track is for; nil if the source does not say.
    public var role: TrackRole?
    /// The index of the source stream. If it has a pair, the left channel.
    public var streamIndex: Int
    /// The index of the mono stream that is the right channel. Nil if the track is made from one stream, and in plans
    /// of older versions.
    public var pairedStreamIndex: Int?
    /// A BCP 47 or ISO 639-2 code; `und` if the source has none.
    public var language: String
    /// The title from the source.
    public var title: String?
    /// Number of channels: 1, 2, or 6 for 5.1.
    public var channels: Int
    /// In bits per second.
    public var bitRate: Int64
    /// Presented samples per channel, without priming.
    public var sampleCount: Int
    /// The number of samples that the source's audio covers; silence follows. Nil in plans of older versions, which did
    /// not record it.
    public var sourceSampleCount: Int?
    /// The video's segment boundaries. Each audio segment ends with the first access unit at or after the boundary.
    public var segmentBoundaries: [Rational]
    /// The samples per channel that precede the first presented one, the same time as `VideoPlan.presentationDelay`. Nil
    /// for audio without video, and in plans of older versions: the priming of the encoder.
    public var presentationDelay: Int?
    /// The attempt that made the track, if not the first; see `Rung.laterAttempts`.
    public var laterAttempt: Int?
    /// What was measured while it was encoded. Nil before that, and in outputs of older versions.
    public var loudness: AudioLoudness?

    /// - Parameter id: Nil for the one that follows from language, role, format and rate.
    public init(
        id: String? = nil, format: AudioFormat = .aac, role: TrackRole? = nil, streamIndex: Int,
        pairedStreamIndex: Int? = nil, language: String, title: String?, channels: Int, bitRate: Int64,
        sampleCount: Int, sourceSampleCount: Int? = nil, segmentBoundaries: [Rational], presentationDelay: Int? = nil
    ) {
        self.id = id ?? Self.id(language: language, role: role, format: format, bitRate: bitRate)
        self.format = format
        self.role = role
        self.streamIndex = streamIndex
        self.pairedStreamIndex = pairedStreamIndex
        self.language = language
        self.title = title
        self.channels = channels
        self.bitRate = bitRate
        self.sampleCount = sampleCount
        self.sourceSampleCount = sourceSampleCount
        self.segmentBoundaries = segmentBoundaries
        self.presentationDelay = presentationDelay
    }

    /// The id of a track: `eng-aac-128k`, `eng-commentary-aac-128k`.
    /// - Parameter number: Tells tracks of one language and role apart; 1 is not part of the id.
    public static func id(
        language: String, role: TrackRole? = nil, number: Int = 1, format: AudioFormat, bitRate: Int64
    ) -> String {
        let other = role.flatMap { $0 == .main ? nil : $0.rawValue }
        let parts = [language, other, number > 1 ? "\(number)" : nil, format.rawValue, "\(bitRate / 1000)k"]
        return parts.compactMap { $0 }.joined(separator: "-")
    }

    /// Whether a plan of an older version has it: the id has no format, and a file of the audio alone was an `.mp4`.
    fileprivate var isOfOlderVersion: Bool { id == "\(language)-\(bitRate / 1000)k" }

    /// The codec.
    public var codec: AudioCodec { format.codec }
    /// Samples per channel in an access unit.
    public var frameSamples: Int { codec.frameSamples }
    /// Samples per channel that the encoder adds in front of the first one.
    public var priming: Int { codec.priming }
    /// Samples per channel in front of the first one, which an edit list removes: the priming, and silence after it.
    public var delay: Int { max(presentationDelay ?? 0, priming) }
    /// The silence that the encoder gets before the first sample.
    public var leadingSilence: Int { delay - priming }

    /// The total number of access units, which hold the delay and all samples.
    public var packetCount: Int { (delay + sampleCount + frameSamples - 1) / frameSamples }

    /// The access units of segment `index`. Those of the delay belong to the first segment.
    public func packets(ofSegment index: Int) -> Range<Int> {
        let start = index == 0 ? 0 : firstPacket(at: segmentBoundaries[index - 1])
        let end = index < segmentBoundaries.count ? firstPacket(at: segmentBoundaries[index]) : packetCount
        return start..<max(start, end)
    }

    // Unit `n` presents the samples from `n · frameSamples - delay`.
    private func firstPacket(at time: Rational) -> Int {
        let unit =
            ((time * Rational(Int64(Self.sampleRate)) + Rational(Int64(delay)))
            / Rational(Int64(frameSamples))).ceil
        return Int(min(unit, Int64(packetCount)))
    }
}

extension AudioPlan: TrackPlan {
    /// Always audio.
    public var kind: RenditionKind { .audio }
    public func attempt(ofSegment index: Int) -> Int { laterAttempt ?? 1 }
    public var mp4Key: ObjectKey {
        isOfOlderVersion ? OutputLayout.progressive(.video, id) : OutputLayout.progressive(kind, id)
    }
    /// Number of segments.
    public var segmentCount: Int { segmentBoundaries.count + 1 }
    /// Duration that is presented.
    public var duration: Rational { Rational(Int64(sampleCount), timescale) }
    /// Ticks per second: the sample rate.
    public var timescale: Int64 { Int64(Self.sampleRate) }
    /// Duration of an access unit.
    public var unitDuration: Rational { Rational(Int64(frameSamples), timescale) }
}

extension [AudioPlan] {
    /// The tracks of a progressive file: each track of the source once, in the first of its formats. Older versions
    /// wrote the default track alone.
    public var progressive: [AudioPlan] {
        if let first, first.isOfOlderVersion { return [first] }
        var seen: Set<AudioPlan.SourceTrack> = []
        return filter { seen.insert($0.sourceTrack).inserted }
    }
}

extension AudioPlan {
    /// Tells the tracks of a source apart. A language has one main track, though its stereo and its surround sound may be
    /// of two streams.
    public struct SourceTrack: Sendable, Hashable {
        private var language: String
        /// Nil for the main track.
        private var streamIndex: Int?

        fileprivate init(_ plan: AudioPlan) {
            language = plan.language
            streamIndex = (plan.role ?? .main) == .main ? nil : plan.streamIndex
        }
    }

    /// The track of the source that it is made of.
    public var sourceTrack: SourceTrack { SourceTrack(self) }
}

extension AudioPlan: Codable {
    private enum CodingKeys: String, CodingKey {
        case id, format, role, streamIndex, pairedStreamIndex, language, title, channels, bitRate, sampleCount
        case sourceSampleCount, segmentBoundaries, presentationDelay, laterAttempt, loudness
    }

    /// Also accepts plans of older versions, in which every track is AAC and named after its language and rate.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let language = try container.decode(String.self, forKey: .language)
        let bitRate = try container.decode(Int64.self, forKey: .bitRate)
        self.init(
            id: try container.decodeIfPresent(String.self, forKey: .id) ?? "\(language)-\(bitRate / 1000)k",
            format: try container.decodeIfPresent(AudioFormat.self, forKey: .format) ?? .aac,
            role: try container.decodeIfPresent(TrackRole.self, forKey: .role),
            streamIndex: try container.decode(Int.self, forKey: .streamIndex),
            pairedStreamIndex: try container.decodeIfPresent(Int.self, forKey: .pairedStreamIndex),
            language: language, title: try container.decodeIfPresent(String.self, forKey: .title),
            channels: try container.decode(Int.self, forKey: .channels), bitRate: bitRate,
            sampleCount: try container.decode(Int.self, forKey: .sampleCount),
            sourceSampleCount: try container.decodeIfPresent(Int.self, forKey: .sourceSampleCount),
            segmentBoundaries: try container.decode([Rational].self, forKey: .segmentBoundaries),
            presentationDelay: try container.decodeIfPresent(Int.self, forKey: .presentationDelay))
        laterAttempt = try container.decodeIfPresent(Int.self, forKey: .laterAttempt)
        loudness = try container.decodeIfPresent(AudioLoudness.self, forKey: .loudness)
    }
}
