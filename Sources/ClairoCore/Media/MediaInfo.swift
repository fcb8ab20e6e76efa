/// The contents of a media file, as printed by `clairo probe --json`. Times are in seconds, sizes in bytes, rates in
/// bits per second.
///
/// All values come from reading all packets and decoding the first frames; headers are not trusted. Differences from
/// the header are in `warnings`.
public struct MediaInfo: Sendable, Codable, Hashable {
    /// libav's short name of the container, for example `mov,mp4,m4a,3gp,3g2,mj2`.
    public var container: String
    /// Name of the container, for people.
    public var containerName: String
    /// Size of the file.
    public var size: Int64
    /// From the first to the last sample of the selected streams.
    public var duration: Double
    /// The duration according to the header, or nil.
    public var declaredDuration: Double?
    /// Rate of the whole file, bits per second.
    public var bitRate: Int64
    /// Its video streams.
    public var video: [VideoStream]
    /// Its audio streams.
    public var audio: [AudioStream]
    /// Its subtitle streams.
    public var subtitles: [SubtitleStream]
    /// The codec or kind of streams that are never part of an output: data, attachments, time code and others.
    public var otherStreams: [String]
    /// The index of the stream that a transcode uses, or nil.
    public var selectedVideo: Int?
    /// Indexes of the audio streams that are transcoded.
    public var selectedAudio: [Int]
    /// Why the file is known to be truncated, or nil if it is complete.
    public var truncation: String?
    /// Whether decoding can start in the middle: the container has an index and marks key frames.
    public var isSeekable: Bool
    /// Warnings for the user.
    public var warnings: [MediaWarning]

    public init(
        container: String, containerName: String, size: Int64, duration: Double, declaredDuration: Double?,
        bitRate: Int64, video: [VideoStream], audio: [AudioStream], subtitles: [SubtitleStream], otherStreams: [String],
        selectedVideo: Int?, selectedAudio: [Int], truncation: String?, isSeekable: Bool,
        warnings: [MediaWarning]
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

    /// The video stream that a transcode uses.
    public var primaryVideo: VideoStream? { video.first { $0.index == selectedVideo } }

    /// The audio streams that a transcode uses, the default one first.
    public var primaryAudio: [AudioStream] { selectedAudio.compactMap { index in audio.first { $0.index == index } } }
}

/// A frame size in square pixels.
public struct FrameSize: Sendable, Codable, Hashable, CustomStringConvertible {
    /// Width in pixels.
    public var width: Int
    /// Height in pixels.
    public var height: Int

    public init(width: Int, height: Int) {
        self.width = width
        self.height = height
    }

    /// The side that names rungs: 1080 for 1920x1080 and for 1080x1920.
    public var shortSide: Int { min(width, height) }
    /// Width times height.
    public var pixels: Int { width * height }
    public var description: String { "\(width)x\(height)" }
}

/// The dynamic range, which decides whether frames must be tone-mapped for an SDR ladder.
public enum DynamicRange: String, Sendable, Codable, Hashable {
    /// Standard dynamic range.
    case sdr
    /// SMPTE ST 2084 (PQ), with or without static metadata.
    case hdr10
    /// ARIB STD-B67.
    case hlg
}

/// Code points of ISO/IEC 23091-2 (H.273): 2 means unspecified.
public struct ColorDescription: Sendable, Codable, Hashable {
    /// Color primaries.
    public var primaries: Int
    /// Transfer characteristics.
    public var transfer: Int
    /// Matrix coefficients.
    public var matrix: Int
    /// Full range instead of limited range.
    public var isFullRange: Bool

    public init(primaries: Int, transfer: Int, matrix: Int, isFullRange: Bool) {
        self.primaries = primaries
        self.transfer = transfer
        self.matrix = matrix
        self.isFullRange = isFullRange
    }

    /// Nothing is known.
    public static let unspecified = ColorDescription(primaries: 2, transfer: 2, matrix: 2, isFullRange: false)
}

/// How a stored frame is oriented for display: first mirrored left to right, then rotated clockwise.
public struct Orientation: Sendable, Codable, Hashable {
    /// 0, 90, 180 or 270 degrees clockwise.
    public var rotation: Int
    /// Whether the frame is mirrored left to right before rotation.
    public var isMirrored: Bool

    public init(rotation: Int, isMirrored: Bool) {
        self.rotation = rotation
        self.isMirrored = isMirrored
    }

    /// Shown as stored.
    public static let upright = Orientation(rotation: 0, isMirrored: false)
    /// Whether rotation swaps width and height.
    public var swapsSides: Bool { rotation == 90 || rotation == 270 }
}

/// A video stream of a file.
public struct VideoStream: Sendable, Codable, Hashable {
    /// Stream index.
    public var index: Int
    /// libav's codec name, for example `h264`.
    public var codec: String
    /// Codec profile.
    public var profile: String?
    /// libav's name of the pixel format.
    public var pixelFormat: String
    /// Bits per component.
    public var bitDepth: Int
    /// The size as stored.
    public var codedSize: FrameSize
    /// Shape of a pixel.
    public var sampleAspectRatio: Rational
    /// The orientation for display.
    public var orientation: Orientation
    /// The display size after rotation, in square pixels.
    public var displaySize: FrameSize
    /// The exact rate if it is constant; otherwise the constant rate of the output.
    public var frameRate: Rational
    /// Whether the frame rate varies.
    public var isVariableFrameRate: Bool
    /// Whether it is interlaced.
    public var isInterlaced: Bool
    /// The color description.
    public var color: ColorDescription
    /// Standard or high dynamic range.
    public var dynamicRange: DynamicRange
    /// The display on which HDR10 was mastered (SMPTE ST 2086); nil if the source does not say.
    public var masteringDisplay: MasteringDisplay?
    /// The content light level of HDR10 (CTA-861.3); nil if the source does not say.
    public var contentLight: ContentLight?
    /// Number of frames.
    public var frameCount: Int
    /// Rate of the stream.
    public var bitRate: Int64
    /// The presentation time of the first frame, on the container's timeline.
    public var start: Double
    /// End of the last frame.
    public var end: Double
    /// Number of key frames.
    public var keyFrameCount: Int
    /// Language code.
    public var language: String?
    /// Whether it is a cover image.
    public var isAttachedPicture: Bool
    /// Whether Clairo decodes this codec.
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

/// An audio stream of a file.
public struct AudioStream: Sendable, Codable, Hashable {
    /// Stream index.
    public var index: Int
    /// libav's codec name, such as `aac`.
    public var codec: String
    /// Codec profile.
    public var profile: String?
    /// Number of channels.
    public var channels: Int
    /// libav's description of the layout, for example `stereo` or `5.1(side)`.
    public var layout: String
    /// Samples per second.
    public var sampleRate: Int
    /// Rate of the stream.
    public var bitRate: Int64
    /// Presentation time of the first sample.
    public var start: Double
    /// End of the last sample.
    public var end: Double
    /// The ISO 639-2 code from the container, or nil.
    public var language: String?
    /// Title from the container.
    public var title: String?
    /// Whether the container marks it as default.
    public var isDefault: Bool
    /// What the container marks it as; nil for main audio.
    public var role: TrackRole?
    /// Whether Clairo decodes this codec.
    public var canDecode: Bool

    public init(
        index: Int, codec: String, profile: String?, channels: Int, layout: String, sampleRate: Int, bitRate: Int64,
        start: Double, end: Double, language: String?, title: String?, isDefault: Bool, role: TrackRole? = nil,
        canDecode: Bool
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
        self.role = role
        self.canDecode = canDecode
    }
}

/// A subtitle stream of a file.
public struct SubtitleStream: Sendable, Codable, Hashable {
    /// Stream index.
    public var index: Int
    /// libav's codec name, such as `subrip`.
    public var codec: String
    /// Language code.
    public var language: String?
    /// Title from the container.
    public var title: String?
    /// What the container says that it is for.
    public var role: TrackRole?
    /// Whether the container marks it as default; nil for no.
    public var isDefault: Bool?
    /// The service of the closed captions; nil for other subtitles. `index` may then be that of the video stream.
    public var service: CaptionService?
    /// Whether the output has it; nil for no.
    public var isUsed: Bool?

    public init(
        index: Int, codec: String, language: String?, title: String? = nil, role: TrackRole? = nil,
        isDefault: Bool? = nil, service: CaptionService? = nil, isUsed: Bool? = nil
    ) {
        self.index = index
        self.codec = codec
        self.language = language
        self.title = title
        self.role = role
        self.isDefault = isDefault
        self.service = service
        self.isUsed = isUsed
    }
}
