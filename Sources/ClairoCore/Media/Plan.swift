/// Everything a job will make, decided before anything is encoded. Segment boundaries, names and encoder settings follow
/// from the plan alone, so any worker can make any part of it, twice, and the results join.
public struct Plan: Sendable, Codable, Hashable {
    /// Raised when the same settings would give other bytes.
    public static let currentVersion = 1

    public var version: Int
    public var source: SourceFingerprint
    public var settings: TranscodeSettings
    /// The instant of the container's timeline, in seconds, that becomes 0 in the output.
    public var origin: Rational
    /// Nil for audio without video.
    public var video: VideoPlan?
    /// The default track first; empty for video without audio.
    public var audio: [AudioPlan]
    public var chunks: [Chunk]
    public var prediction: Prediction

    public init(
        version: Int = Plan.currentVersion, source: SourceFingerprint, settings: TranscodeSettings, origin: Rational,
        video: VideoPlan?, audio: [AudioPlan], chunks: [Chunk], prediction: Prediction
    ) {
        self.version = version
        self.source = source
        self.settings = settings
        self.origin = origin
        self.video = video
        self.audio = audio
        self.chunks = chunks
        self.prediction = prediction
    }

    /// The length of the output in seconds: the video's, or of audio alone the audio's.
    public var duration: Rational {
        video?.grid.duration ?? audio.map(\.duration).max() ?? .zero
    }

    /// Every object of video and audio that must exist before playlists may be written.
    public var segmentKeys: [ObjectKey] {
        let videoKeys = (video?.rungs ?? []).flatMap { rung in
            [rung.initKey] + (0..<(video?.grid.segmentCount ?? 0)).map(rung.segmentKey)
        }
        let audioKeys = audio.flatMap { track in [track.initKey] + (0..<track.segmentCount).map(track.segmentKey) }
        return videoKeys + audioKeys
    }
}

/// What identifies the bytes of a source.
public struct SourceFingerprint: Sendable, Codable, Hashable {
    /// The file's name, for people; it is not part of what makes two sources the same.
    public var name: String
    public var size: Int64
    /// `sha256:` and the hexadecimal SHA-256 of the whole content, or `etag:` and what the object store calls it: a source
    /// in a store is not read whole only to be known.
    public var identity: String

    public init(name: String, size: Int64, identity: String) {
        self.name = name
        self.size = size
        self.identity = identity
    }

    /// - Parameter check: called before each piece that is read; what it throws ends the work.
    public init(
        of source: any ByteSource, name: String, check: () throws(ClairoError) -> Void = {}
    ) throws(ClairoError) {
        let identity =
            if let etag = source.etag { "etag:\(etag)" } else { "sha256:\(try Checksum.sha256(source, check: check))" }
        self.init(name: name, size: source.size, identity: identity)
    }
}

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

public struct VideoPlan: Sendable, Codable, Hashable {
    public var streamIndex: Int
    public var grid: SegmentGrid
    /// Frames of the grid that the source's pictures cover; any after them hold the last picture while sound goes on.
    public var sourceFrameCount: Int
    public var orientation: Orientation
    public var deinterlace: Bool
    /// Of the source; high dynamic range is mapped to SDR.
    public var dynamicRange: DynamicRange
    /// What the output is tagged with: the source's colour, or BT.709 after tone mapping.
    public var color: ColorDescription
    /// Segments that one encoder makes before the next is opened. Its bytes depend on these segments' pictures alone, so a
    /// chunk is a multiple of it, whoever makes it gets the same, and a resumed job repeats no more than this.
    public var segmentsPerEncoder: Int
    /// Whether decoding can begin in the middle of the source; otherwise it is one chunk.
    public var isSeekable: Bool
    /// From the largest to the smallest, each scaled from the one before.
    public var rungs: [Rung]
    /// One line for each standard height and for the source's own size: kept, capped or dropped, and why.
    public var decisions: [LadderDecision]

    public init(
        streamIndex: Int, grid: SegmentGrid, sourceFrameCount: Int, orientation: Orientation, deinterlace: Bool,
        dynamicRange: DynamicRange, color: ColorDescription, segmentsPerEncoder: Int, isSeekable: Bool, rungs: [Rung],
        decisions: [LadderDecision]
    ) {
        self.segmentsPerEncoder = segmentsPerEncoder
        self.isSeekable = isSeekable
        self.streamIndex = streamIndex
        self.grid = grid
        self.sourceFrameCount = sourceFrameCount
        self.orientation = orientation
        self.deinterlace = deinterlace
        self.dynamicRange = dynamicRange
        self.color = color
        self.rungs = rungs
        self.decisions = decisions
    }
}

extension VideoPlan {
    public var toneMap: Bool { dynamicRange != .sdr }

    /// The segments that are made together with segment `index` by one encoder.
    public func encoderRun(ofSegment index: Int) -> Range<Int> {
        let start = index / segmentsPerEncoder * segmentsPerEncoder
        return start..<min(start + segmentsPerEncoder, grid.segmentCount)
    }
}

/// One planned step of the ladder.
public struct Rung: Sendable, Codable, Hashable {
    /// Short side and `p`: `1080p`. The folder's name.
    public var name: String
    public var size: FrameSize
    /// Largest rate the encoder may use, bits per second (x264 VBV maxrate).
    public var maxRate: Int64
    /// The VBV buffer in bits.
    public var bufferSize: Int64
    /// Set where the source's own pictures are taken and not encoded again: frames by which their decoding order runs ahead
    /// of the order of presentation.
    public var copyReorderDelay: Int?
    /// Segments that a later attempt than the first made, where several workers shared the job: their names say so, so
    /// that nobody whose claim has passed to another can change them. Nil where every first attempt went well.
    public var laterAttempts: [SegmentAttempt]?

    public init(name: String, size: FrameSize, maxRate: Int64, bufferSize: Int64, copyReorderDelay: Int? = nil) {
        self.name = name
        self.size = size
        self.maxRate = maxRate
        self.bufferSize = bufferSize
        self.copyReorderDelay = copyReorderDelay
    }

    public var isCopy: Bool { copyReorderDelay != nil }
    public var folder: String { "video/\(name)" }
    /// Of the attempt that made the first segment.
    public var initKey: ObjectKey { ObjectKey("\(folder)/init.mp4").ofAttempt(attempt(ofSegment: 0)) }
    public var playlistKey: ObjectKey { ObjectKey("\(folder)/playlist.m3u8") }
    public var iframePlaylistKey: ObjectKey { ObjectKey("\(folder)/iframes.m3u8") }
    public var mp4Key: ObjectKey { ObjectKey("mp4/\(name).mp4") }

    /// Segments are counted from 0 here and named from 1.
    public func segmentKey(_ index: Int) -> ObjectKey {
        ObjectKey("\(folder)/\(segmentFileName(index))").ofAttempt(attempt(ofSegment: index))
    }

    private func attempt(ofSegment index: Int) -> Int {
        laterAttempts?.first { $0.segments.contains(index) }?.attempt ?? 1
    }
}

/// The attempt that made some segments.
public struct SegmentAttempt: Sendable, Codable, Hashable {
    public var segments: Range<Int>
    public var attempt: Int

    public init(segments: Range<Int>, attempt: Int) {
        self.segments = segments
        self.attempt = attempt
    }
}

extension ObjectKey {
    /// `video/720p/00007.m4s` for the first attempt, `video/720p/00007-2.m4s` for the second.
    public func ofAttempt(_ attempt: Int) -> ObjectKey {
        guard attempt > 1, let dot = rawValue.lastIndex(of: ".") else { return self }
        return ObjectKey("\(rawValue[..<dot])-\(attempt)\(rawValue[dot...])")
    }
}

public struct LadderDecision: Sendable, Codable, Hashable {
    public enum Verdict: String, Sendable, Codable, Hashable {
        case kept, capped, copied, dropped
    }

    public var name: String
    public var size: FrameSize
    public var verdict: Verdict
    public var reason: String

    public init(name: String, size: FrameSize, verdict: Verdict, reason: String) {
        self.name = name
        self.size = size
        self.verdict = verdict
        self.reason = reason
    }
}

/// One audio rendition: AAC-LC at 48 kHz, encoded once and whole.
public struct AudioPlan: Sendable, Codable, Hashable {
    /// Samples in an AAC-LC access unit, and the encoder's delay that an edit list takes away again.
    public static let frameSamples = 1024
    public static let sampleRate = 48_000

    public var streamIndex: Int
    /// BCP 47 or ISO 639-2 code; `und` where the source names none.
    public var language: String
    public var title: String?
    public var channels: Int
    /// Bits per second.
    public var bitRate: Int64
    /// Samples per channel that are presented, without priming.
    public var sampleCount: Int
    /// Of them, those that the source's sound is to reach; what follows is silence. Nil in plans from before it was kept,
    /// which promise nothing.
    public var sourceSampleCount: Int?
    /// Segments follow the video's boundaries: each ends with the first access unit at or after the boundary.
    public var segmentBoundaries: [Rational]
    /// The attempt that made it, where that is not the first; see `Rung.laterAttempts`.
    public var laterAttempt: Int?

    public init(
        streamIndex: Int, language: String, title: String?, channels: Int, bitRate: Int64, sampleCount: Int,
        sourceSampleCount: Int? = nil, segmentBoundaries: [Rational]
    ) {
        self.streamIndex = streamIndex
        self.language = language
        self.title = title
        self.channels = channels
        self.bitRate = bitRate
        self.sampleCount = sampleCount
        self.sourceSampleCount = sourceSampleCount
        self.segmentBoundaries = segmentBoundaries
    }

    public var name: String { "\(language)-\(bitRate / 1000)k" }
    public var folder: String { "audio/\(name)" }
    public var initKey: ObjectKey { ObjectKey("\(folder)/init.mp4").ofAttempt(laterAttempt ?? 1) }
    public var playlistKey: ObjectKey { ObjectKey("\(folder)/playlist.m3u8") }
    public func segmentKey(_ index: Int) -> ObjectKey {
        ObjectKey("\(folder)/\(segmentFileName(index))").ofAttempt(laterAttempt ?? 1)
    }
    public var duration: Rational { Rational(Int64(sampleCount), Int64(Self.sampleRate)) }
    public var segmentCount: Int { segmentBoundaries.count + 1 }

    /// Access units in all: one of priming before the first sample, and enough to cover the last.
    public var packetCount: Int { 1 + (sampleCount + Self.frameSamples - 1) / Self.frameSamples }

    /// The access units of segment `index`. The priming unit (number 0) belongs to the first.
    public func packets(ofSegment index: Int) -> Range<Int> {
        let start = index == 0 ? 0 : firstPacket(at: segmentBoundaries[index - 1])
        let end = index < segmentBoundaries.count ? firstPacket(at: segmentBoundaries[index]) : packetCount
        return start..<max(start, end)
    }

    /// Unit `n` presents the samples from `(n - 1) · 1024` on.
    private func firstPacket(at time: Rational) -> Int {
        let sample = (time * Rational(Int64(Self.sampleRate), Int64(Self.frameSamples))).ceil
        return Int(min(sample, Int64(packetCount) - 1)) + 1
    }
}

/// A run of whole segments: what one worker decodes and encodes in one go.
public struct Chunk: Sendable, Codable, Hashable {
    public var index: Int
    public var segments: Range<Int>
    /// Where the demuxer is to seek, in the video stream's time base; nil to read from the start of the source.
    public var seekTimestamp: Int64?

    public init(index: Int, segments: Range<Int>, seekTimestamp: Int64?) {
        self.index = index
        self.segments = segments
        self.seekTimestamp = seekTimestamp
    }
}

/// An estimate made before the work, for content of ordinary difficulty: within a factor of about two of the truth.
public struct Prediction: Sendable, Codable, Hashable {
    public var bytes: Int64
    public var cpuSeconds: Double

    public init(bytes: Int64, cpuSeconds: Double) {
        self.bytes = bytes
        self.cpuSeconds = cpuSeconds
    }
}

/// `00001.m4s` for index 0; more digits where five are not enough.
func segmentFileName(_ index: Int) -> String {
    let number = String(index + 1)
    return String(repeating: "0", count: max(0, 5 - number.count)) + number + ".m4s"
}
