/// An audio rendition: AAC-LC at 48 kHz, encoded as a whole.
public struct AudioPlan: Sendable, Codable, Hashable {
    /// Samples in an AAC-LC access unit. Also the encoder delay, which an edit list removes.
    public static let frameSamples = 1024
    /// Samples per second of every audio track.
    public static let sampleRate = 48_000

    /// The index of the source stream. If it has a pair, the left channel.
    public var streamIndex: Int
    /// The index of the mono stream that is the right channel. Nil if the track is made from one stream, and in plans
    /// of older versions.
    public var pairedStreamIndex: Int?
    /// A BCP 47 or ISO 639-2 code; `und` if the source has none.
    public var language: String
    /// The title from the source.
    public var title: String?
    /// Number of channels, 1 or 2.
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
    /// The attempt that made the track, if not the first; see `Rung.laterAttempts`.
    public var laterAttempt: Int?

    public init(
        streamIndex: Int, pairedStreamIndex: Int? = nil, language: String, title: String?, channels: Int,
        bitRate: Int64, sampleCount: Int, sourceSampleCount: Int? = nil, segmentBoundaries: [Rational]
    ) {
        self.streamIndex = streamIndex
        self.pairedStreamIndex = pairedStreamIndex
        self.language = language
        self.title = title
        self.channels = channels
        self.bitRate = bitRate
        self.sampleCount = sampleCount
        self.sourceSampleCount = sourceSampleCount
        self.segmentBoundaries = segmentBoundaries
    }

    /// The total number of access units: one for priming, and enough to cover the last sample.
    public var packetCount: Int { 1 + (sampleCount + Self.frameSamples - 1) / Self.frameSamples }

    /// The access units of segment `index`. The priming unit (0) belongs to the first segment.
    public func packets(ofSegment index: Int) -> Range<Int> {
        let start = index == 0 ? 0 : firstPacket(at: segmentBoundaries[index - 1])
        let end = index < segmentBoundaries.count ? firstPacket(at: segmentBoundaries[index]) : packetCount
        return start..<max(start, end)
    }

    // Unit `n` presents the samples from `(n - 1) · 1024`.
    private func firstPacket(at time: Rational) -> Int {
        let sample = (time * Rational(Int64(Self.sampleRate), Int64(Self.frameSamples))).ceil
        return Int(min(sample, Int64(packetCount) - 1)) + 1
    }
}

extension AudioPlan: SegmentedRendition {
    /// Always audio.
    public var kind: RenditionKind { .audio }
    /// The language and rate, such as `eng-128k`. Also the name of the folder.
    public var name: String { "\(language)-\(bitRate / 1000)k" }
    public func attempt(ofSegment index: Int) -> Int { laterAttempt ?? 1 }
    /// Number of segments.
    public var segmentCount: Int { segmentBoundaries.count + 1 }
    /// Duration that is presented.
    public var duration: Rational { Rational(Int64(sampleCount), timescale) }
    /// Ticks per second: the sample rate.
    public var timescale: Int64 { Int64(Self.sampleRate) }
    /// Duration of an access unit.
    public var unitDuration: Rational { Rational(Int64(Self.frameSamples), timescale) }
}
