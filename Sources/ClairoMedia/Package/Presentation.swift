public import ClairoCore

/// A finished presentation as playlists and manifests describe it: the plan, combined with measurements of the written
/// segments. Playlist writers are pure functions of this value.
public struct Presentation: Sendable, Hashable {
    /// The rungs from the largest to the smallest.
    public var video: [VideoRendition]
    /// The audio tracks, the default track first.
    public var audio: [AudioRendition]
    /// The text tracks.
    public var text: [TextRendition]
    /// The storyboard, if there is one.
    public var images: [ImageRendition]
    /// The duration of the output.
    public var duration: Rational
    /// How it is encrypted; nil if it is not.
    public var protection: Protection?

    public init(
        video: [VideoRendition], audio: [AudioRendition], text: [TextRendition] = [], images: [ImageRendition] = [],
        duration: Rational
    ) {
        self.video = video
        self.audio = audio
        self.text = text
        self.images = images
        self.duration = duration
    }
}

/// A written segment: its duration on the timeline and its size.
public struct MeasuredSegment: Sendable, Hashable {
    /// The presented duration in seconds.
    public var duration: Rational
    /// The size of the segment in bytes.
    public var bytes: Int
    /// For video, the byte ranges of each GOP's `moof` with its IDR picture, in order.
    public var keyFrames: [KeyFrameRange]

    public init(duration: Rational, bytes: Int, keyFrames: [KeyFrameRange] = []) {
        self.duration = duration
        self.bytes = bytes
        self.keyFrames = keyFrames
    }
}

/// The byte range of a key frame in a segment, for I-frame playlists.
public struct KeyFrameRange: Sendable, Hashable {
    /// The offset of the `moof` box in the segment file.
    public var offset: Int
    /// The number of bytes from there to the end of the IDR sample in `mdat`.
    public var length: Int
    /// The time until the next key frame, or until the end.
    public var duration: Rational

    public init(offset: Int, length: Int, duration: Rational) {
        self.offset = offset
        self.length = length
        self.duration = duration
    }
}

/// A rung and its written segments.
public struct VideoRendition: Sendable, Hashable {
    /// The planned rung.
    public var rung: Rung
    /// The RFC 6381 codec string from the bitstream, such as `avc1.640028`.
    public var codec: String
    /// Frames per second.
    public var frameRate: Rational
    /// `SDR`, `PQ` or `HLG`.
    public var videoRange: String
    /// Ticks per second in the segments.
    public var timescale: Int64
    /// The color tags, which the DASH manifest has for HDR.
    public var color: ColorDescription
    /// The size of the init segment in bytes.
    public var initBytes: Int
    /// The media segments in order.
    public var segments: [MeasuredSegment]
    /// The one file of the rendition; nil if segments have files of their own.
    public var file: SingleFile?

    public init(
        rung: Rung, codec: String, frameRate: Rational, videoRange: String, timescale: Int64,
        color: ColorDescription = .unspecified, initBytes: Int, segments: [MeasuredSegment], file: SingleFile? = nil
    ) {
        self.rung = rung
        self.codec = codec
        self.frameRate = frameRate
        self.videoRange = videoRange
        self.timescale = timescale
        self.color = color
        self.initBytes = initBytes
        self.segments = segments
        self.file = file
    }
}

/// An audio track and its written segments.
public struct AudioRendition: Sendable, Hashable {
    /// The planned track.
    public var track: AudioPlan
    /// The RFC 6381 codec string, such as `mp4a.40.2`.
    public var codec: String
    /// The size of the init segment in bytes.
    public var initBytes: Int
    /// The media segments in order.
    public var segments: [MeasuredSegment]
    /// The one file of the rendition; nil if segments have files of their own.
    public var file: SingleFile?

    public init(
        track: AudioPlan, codec: String, initBytes: Int, segments: [MeasuredSegment], file: SingleFile? = nil
    ) {
        self.track = track
        self.codec = codec
        self.initBytes = initBytes
        self.segments = segments
        self.file = file
    }
}

/// A storyboard and its written sheets.
public struct ImageRendition: Sendable, Hashable {
    /// The plan.
    public var plan: ImagePlan
    /// The size of each sheet in bytes.
    public var sheetBytes: [Int]

    public init(plan: ImagePlan, sheetBytes: [Int]) {
        self.plan = plan
        self.sheetBytes = sheetBytes
    }

    /// The sheets as segments: each lasts from its first tile to that of the next sheet.
    public var sheets: [MeasuredSegment] {
        sheetBytes.enumerated().map { index, bytes in
            let tiles = plan.tiles(ofSheet: index)
            let duration = plan.start(ofTile: tiles.upperBound) - plan.start(ofTile: tiles.lowerBound)
            return MeasuredSegment(duration: duration, bytes: bytes)
        }
    }
}

/// The properties that all renditions of a presentation have, independent of their kind.
protocol MeasuredRendition: Sendable {
    /// The names in the output folder.
    var keys: any RenditionKeys { get }
    var codec: String { get }
    var initBytes: Int { get }
    var segments: [MeasuredSegment] { get }
    /// The one file of the rendition; nil if segments have files of their own.
    var file: SingleFile? { get }
    /// Ticks per second in the segments.
    var timescale: Int64 { get }
    /// The frame size; nil if there are no frames.
    var size: FrameSize? { get }
    /// The key of the I-frame playlist, or nil if there is none.
    var iframePlaylistKey: ObjectKey? { get }
    /// Adds the properties of its kind to its record.
    func describe(_ record: inout RenditionRecord)
}

extension MeasuredRendition {
    func describe(_ record: inout RenditionRecord) {}
    var bytes: Int64 { Int64(initBytes + segments.reduce(0) { $0 + $1.bytes }) }
    var duration: Rational { segments.reduce(.zero) { $0 + $1.duration } }
    /// The attempt that made all segments; nil if several did.
    var onlyAttempt: Int? {
        let first = keys.attempt(ofSegment: 0)
        return segments.indices.allSatisfy { keys.attempt(ofSegment: $0) == first } ? first : nil
    }
}

extension VideoRendition: MeasuredRendition {
    var keys: any RenditionKeys { rung }
    var size: FrameSize? { rung.size }
    var iframePlaylistKey: ObjectKey? { rung.iframePlaylistKey }

    func describe(_ record: inout RenditionRecord) {
        record.frameRate = frameRate
        record.frameCount = Int((duration * frameRate).floor)
        record.dynamicRange = rung.dynamicRange
    }
}

extension AudioRendition: MeasuredRendition {
    var keys: any RenditionKeys { track }
    var timescale: Int64 { track.timescale }
    var size: FrameSize? { nil }
    var iframePlaylistKey: ObjectKey? { nil }

    func describe(_ record: inout RenditionRecord) {
        record.format = track.format
        record.channels = track.channels
        record.language = track.language
        record.role = track.role
        record.title = track.title
        record.loudness = track.loudness
        record.duration = track.duration.doubleValue
    }
}

extension Presentation {
    /// The rungs from the largest to the smallest, then the audio tracks.
    var renditions: [any MeasuredRendition] { video + audio }

    /// The end of the rendition that lasts longest. The segments of audio without video consist of whole access units.
    var longestDuration: Rational { (renditions.map(\.duration) + [duration]).max() ?? duration }
}

extension [MeasuredSegment] {
    /// The average rate over all segments in bits per second.
    public var averageRate: Int64 {
        let seconds = reduce(Rational.zero) { $0 + $1.duration }
        let bits = Int64(reduce(0) { $0 + $1.bytes }) * 8
        return seconds.num == 0 ? 0 : (Rational(bits) / seconds).ceil
    }
}

extension Presentation {
    /// Notes the one file of the rendition in `folder`.
    mutating func place(_ folder: String, in file: SingleFile) {
        for index in video.indices where video[index].rung.folder == folder { video[index].file = file }
        for index in audio.indices where audio[index].track.folder == folder { audio[index].file = file }
    }
}

// MARK: Adaptation sets

extension Presentation {
    /// The rungs between which players can switch: those of one codec and one dynamic range, in the order of the ladder.
    var videoSets: [[VideoRendition]] {
        var sets: [[VideoRendition]] = []
        for rendition in video {
            let index = sets.firstIndex {
                $0.first?.rung.codec == rendition.rung.codec
                    && $0.first?.rung.dynamicRange == rendition.rung.dynamicRange
            }
            if let index { sets[index].append(rendition) } else { sets.append([rendition]) }
        }
        return sets
    }

    /// The rates of each track in each format.
    var audioSets: [(renditions: [AudioRendition], isDefault: Bool)] {
        audioTracks.enumerated().flatMap { index, track in
            var formats: [AudioFormat] = []
            for rendition in track where !formats.contains(rendition.track.format) {
                formats.append(rendition.track.format)
            }
            return formats.map { format in (track.filter { $0.track.format == format }, index == 0) }
        }
    }
}
