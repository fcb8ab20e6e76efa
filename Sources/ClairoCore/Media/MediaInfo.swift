/// What is in a media file, as `clairo probe --json` prints it. Times are in seconds, sizes in bytes, rates in bits per second.
///
/// Everything here comes from reading all packets and decoding the first frames, not from trusting a header; what the
/// header claims and turned out otherwise is in `warnings`.
public struct MediaInfo: Sendable, Codable, Hashable {
    /// libav's short name of the container, for example `mov,mp4,m4a,3gp,3g2,mj2`.
    public var container: String
    public var containerName: String
    public var size: Int64
    /// From the first to the last sample of the selected streams.
    public var duration: Double
    /// What the header claims, or nil where it claims nothing.
    public var declaredDuration: Double?
    public var bitRate: Int64
    public var video: [VideoStream]
    public var audio: [AudioStream]
    public var subtitles: [SubtitleStream]
    /// Data, attachments, time code and other streams that never reach an output: their codec or kind.
    public var otherStreams: [String]
    /// Index of the stream a transcode would take, or nil.
    public var selectedVideo: Int?
    public var selectedAudio: [Int]
    /// Why the file is known to be cut short, or nil where it is whole.
    public var truncation: String?
    /// Whether decoding can begin in the middle: the container has an index and its key frames are marked.
    public var isSeekable: Bool
    public var warnings: [String]

    public init(
        container: String, containerName: String, size: Int64, duration: Double, declaredDuration: Double?,
        bitRate: Int64, video: [VideoStream], audio: [AudioStream], subtitles: [SubtitleStream], otherStreams: [String],
        selectedVideo: Int?, selectedAudio: [Int], truncation: String?, isSeekable: Bool, warnings: [String]
    ) {
        self.container = container
        self.containerName = containerName
        self.size = size
        self.duration = duration
        self.declaredDuration = declaredDuration
        self.bitRate = bitRate
        self.video = video
        self.audio = audio
        self.subtitles = subtitles
        self.otherStreams = otherStreams
        self.selectedVideo = selectedVideo
        self.selectedAudio = selectedAudio
        self.truncation = truncation
        self.isSeekable = isSeekable
        self.warnings = warnings
    }

    /// The video stream a transcode would take.
    public var primaryVideo: VideoStream? { video.first { $0.index == selectedVideo } }

    /// The audio streams a transcode would take, the default one first.
    public var primaryAudio: [AudioStream] { selectedAudio.compactMap { index in audio.first { $0.index == index } } }
}

/// A size in square pixels.
public struct FrameSize: Sendable, Codable, Hashable, CustomStringConvertible {
    public var width: Int
    public var height: Int

    public init(width: Int, height: Int) {
        self.width = width
        self.height = height
    }

    /// The side that ladders are named by: 1080 for 1920x1080 and for 1080x1920.
    public var shortSide: Int { min(width, height) }
    public var pixels: Int { width * height }
    public var description: String { "\(width)x\(height)" }
}

/// How light is coded, which decides whether frames must be tone-mapped for an SDR ladder.
public enum DynamicRange: String, Sendable, Codable, Hashable {
    case sdr
    /// SMPTE ST 2084 (PQ), with or without static metadata.
    case hdr10
    /// ARIB STD-B67.
    case hlg
}

/// Code points of ISO/IEC 23091-2 (H.273): 2 means unspecified.
public struct ColorDescription: Sendable, Codable, Hashable {
    public var primaries: Int
    public var transfer: Int
    public var matrix: Int
    public var isFullRange: Bool

    public init(primaries: Int, transfer: Int, matrix: Int, isFullRange: Bool) {
        self.primaries = primaries
        self.transfer = transfer
        self.matrix = matrix
        self.isFullRange = isFullRange
    }

    public static let unspecified = ColorDescription(primaries: 2, transfer: 2, matrix: 2, isFullRange: false)
}

/// How the stored frame is turned before it is shown: first mirrored left to right, then rotated clockwise.
public struct Orientation: Sendable, Codable, Hashable {
    /// 0, 90, 180 or 270 degrees clockwise.
    public var rotation: Int
    public var isMirrored: Bool

    public init(rotation: Int, isMirrored: Bool) {
        self.rotation = rotation
        self.isMirrored = isMirrored
    }

    public static let upright = Orientation(rotation: 0, isMirrored: false)
    public var swapsSides: Bool { rotation == 90 || rotation == 270 }
}

public struct VideoStream: Sendable, Codable, Hashable {
    public var index: Int
    /// libav's codec name, for example `h264`.
    public var codec: String
    public var profile: String?
    public var pixelFormat: String
    public var bitDepth: Int
    public var codedSize: FrameSize
    public var sampleAspectRatio: Rational
    public var orientation: Orientation
    /// The size after rotation in square pixels.
    public var displaySize: FrameSize
    /// Exact where the frames lie on a grid; for variable rates the constant rate it would be conformed to.
    public var frameRate: Rational
    public var isVariableFrameRate: Bool
    public var isInterlaced: Bool
    public var color: ColorDescription
    public var dynamicRange: DynamicRange
    public var frameCount: Int
    public var bitRate: Int64
    /// Presentation time of the first frame and end of the last, on the container's timeline.
    public var start: Double
    public var end: Double
    public var keyFrameCount: Int
    public var language: String?
    public var isAttachedPicture: Bool
    public var canDecode: Bool

    public init(
        index: Int, codec: String, profile: String?, pixelFormat: String, bitDepth: Int, codedSize: FrameSize,
        sampleAspectRatio: Rational, orientation: Orientation, displaySize: FrameSize, frameRate: Rational,
        isVariableFrameRate: Bool, isInterlaced: Bool, color: ColorDescription, dynamicRange: DynamicRange,
        frameCount: Int, bitRate: Int64, start: Double, end: Double, keyFrameCount: Int, language: String?,
        isAttachedPicture: Bool, canDecode: Bool
    ) {
        self.index = index
        self.codec = codec
        self.profile = profile
        self.pixelFormat = pixelFormat
        self.bitDepth = bitDepth
        self.codedSize = codedSize
        self.sampleAspectRatio = sampleAspectRatio
        self.orientation = orientation
        self.displaySize = displaySize
        self.frameRate = frameRate
        self.isVariableFrameRate = isVariableFrameRate
        self.isInterlaced = isInterlaced
        self.color = color
        self.dynamicRange = dynamicRange
        self.frameCount = frameCount
        self.bitRate = bitRate
        self.start = start
        self.end = end
        self.keyFrameCount = keyFrameCount
        self.language = language
        self.isAttachedPicture = isAttachedPicture
        self.canDecode = canDecode
    }
}

public struct AudioStream: Sendable, Codable, Hashable {
    public var index: Int
    public var codec: String
    public var profile: String?
    public var channels: Int
    /// libav's description of the layout, for example `stereo` or `5.1(side)`.
    public var layout: String
    public var sampleRate: Int
    public var bitRate: Int64
    public var start: Double
    public var end: Double
    /// ISO 639-2 code as the container gives it, or nil.
    public var language: String?
    public var title: String?
    public var isDefault: Bool
    public var canDecode: Bool

    public init(
        index: Int, codec: String, profile: String?, channels: Int, layout: String, sampleRate: Int, bitRate: Int64,
        start: Double, end: Double, language: String?, title: String?, isDefault: Bool, canDecode: Bool
    ) {
        self.index = index
        self.codec = codec
        self.profile = profile
        self.channels = channels
        self.layout = layout
        self.sampleRate = sampleRate
        self.bitRate = bitRate
        self.start = start
        self.end = end
        self.language = language
        self.title = title
        self.isDefault = isDefault
        self.canDecode = canDecode
    }
}

public struct SubtitleStream: Sendable, Codable, Hashable {
    public var index: Int
    public var codec: String
    public var language: String?

    public init(index: Int, codec: String, language: String?) {
        self.index = index
        self.codec = codec
        self.language = language
    }
}
