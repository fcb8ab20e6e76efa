public import ClairoCore

/// A finished presentation as playlists and manifests describe it: what was planned, joined with what was measured in
/// the written segments. Playlist writers are pure functions of this value.
public struct Presentation: Sendable, Hashable {
    /// From the largest to the smallest.
    public var video: [VideoRendition]
    /// The default track first.
    public var audio: [AudioRendition]
    /// Duration of the output.
    public var duration: Rational

    public init(video: [VideoRendition], audio: [AudioRendition], duration: Rational) {
        self.video = video
        self.audio = audio
        self.duration = duration
    }
}

/// A written segment: its length on the timeline and its size.
public struct MeasuredSegment: Sendable, Hashable {
    /// Presented duration in seconds.
    public var duration: Rational
    /// Size of the segment.
    public var bytes: Int
    /// For video, the parts of the file that hold each GOP's `moof` and its IDR picture, in order.
    public var keyFrames: [KeyFrameRange]

    public init(duration: Rational, bytes: Int, keyFrames: [KeyFrameRange] = []) {
        self.duration = duration
        self.bytes = bytes
        self.keyFrames = keyFrames
    }
}

/// Where an I-frame playlist finds one key frame inside a segment.
public struct KeyFrameRange: Sendable, Hashable {
    /// Of the `moof` box in the segment file.
    public var offset: Int
    /// From there to the end of the IDR sample in `mdat`.
    public var length: Int
    /// Time to the next key frame, or to the end.
    public var duration: Rational

    public init(offset: Int, length: Int, duration: Rational) {
        self.offset = offset
        self.length = length
        self.duration = duration
    }
}

/// A rung and the segments that were made of it.
public struct VideoRendition: Sendable, Hashable {
    /// What was planned.
    public var rung: Rung
    /// RFC 6381, read from the bitstream: `avc1.640028`.
    public var codec: String
    /// Frames per second.
    public var frameRate: Rational
    /// `SDR`, `PQ` or `HLG`.
    public var videoRange: String
    /// Ticks per second in the segments.
    public var timescale: Int64
    /// Size of the init segment.
    public var initBytes: Int
    /// Its media segments, in order.
    public var segments: [MeasuredSegment]

    public init(
        rung: Rung, codec: String, frameRate: Rational, videoRange: String, timescale: Int64, initBytes: Int,
        segments: [MeasuredSegment]
    ) {
        self.rung = rung
        self.codec = codec
        self.frameRate = frameRate
        self.videoRange = videoRange
        self.timescale = timescale
        self.initBytes = initBytes
        self.segments = segments
    }
}

/// An audio track and the segments that were made of it.
public struct AudioRendition: Sendable, Hashable {
    /// What was planned.
    public var track: AudioPlan
    /// RFC 6381: `mp4a.40.2`.
    public var codec: String
    /// Size of the init segment.
    public var initBytes: Int
    /// Its media segments, in order.
    public var segments: [MeasuredSegment]

    public init(track: AudioPlan, codec: String, initBytes: Int, segments: [MeasuredSegment]) {
        self.track = track
        self.codec = codec
        self.initBytes = initBytes
        self.segments = segments
    }
}

/// What is known of every rendition of a presentation, whatever its kind.
protocol MeasuredRendition: Sendable {
    /// Its names in the output folder.
    var keys: any RenditionKeys { get }
    var codec: String { get }
    var initBytes: Int { get }
    var segments: [MeasuredSegment] { get }
    /// Ticks per second in the segments.
    var timescale: Int64 { get }
    /// Of its frames; nil for what has none.
    var size: FrameSize? { get }
    /// Nil for what has no I-frame playlist.
    var iframePlaylistKey: ObjectKey? { get }
}

extension MeasuredRendition {
    var bytes: Int64 { Int64(initBytes + segments.reduce(0) { $0 + $1.bytes }) }
    var duration: Rational { segments.reduce(.zero) { $0 + $1.duration } }
    /// Whether all names follow from the number of the segment alone.
    var hasPlainNames: Bool { segments.indices.allSatisfy { keys.attempt(ofSegment: $0) == 1 } }
}

extension VideoRendition: MeasuredRendition {
    var keys: any RenditionKeys { rung }
    var size: FrameSize? { rung.size }
    var iframePlaylistKey: ObjectKey? { rung.iframePlaylistKey }
}

extension AudioRendition: MeasuredRendition {
    var keys: any RenditionKeys { track }
    var timescale: Int64 { track.timescale }
    var size: FrameSize? { nil }
    var iframePlaylistKey: ObjectKey? { nil }
}

extension Presentation {
    /// The rungs from the largest, then the audio tracks.
    var renditions: [any MeasuredRendition] { video + audio }
}

extension [MeasuredSegment] {
    /// All bits over all time, in bits per second.
    public var averageRate: Int64 {
        let seconds = reduce(Rational.zero) { $0 + $1.duration }
        let bits = Int64(reduce(0) { $0 + $1.bytes }) * 8
        return seconds.num == 0 ? 0 : (Rational(bits) / seconds).ceil
    }
}
