internal import ClairoCore
internal import Foundation
internal import Libav

/// Everything that depends on a video codec. Each codec has a file with one conformance; `VideoCodec.coding` is the
/// list.
protocol VideoCoding {
    /// The type of the visual sample entry, such as `avc1`.
    static var sampleEntry: String { get }
    /// The type of the box with the decoder configuration, such as `avcC`.
    static var configurationBox: String { get }

    /// Opens an encoder for one run of a rung's segments, with closed GOPs of fixed length, so that runs can be joined.
    static func openEncoder(
        _ rung: Rung, of video: VideoPlan, settings: TranscodeSettings, first frame: Frame
    ) throws -> Encoder

    /// The payload of the configuration box, from the encoder's extradata; nil if that is incomplete.
    static func configuration(extradata: Data) -> Data?

    /// An encoder's packet as a sample in MP4.
    static func sample(packet: Data) -> Data

    /// The RFC 6381 codec string, from the payload of the configuration box; nil if that is damaged.
    static func codecString(configuration: Data) -> String?

    /// Whether decoding can begin at a sample.
    static func isKeyFrame(sample: Data) -> Bool

    /// Whether a rendition of this size and frame rate plays on common devices.
    static func fits(size: FrameSize, frameRate: Rational) -> Bool

    /// What limits `fits`, as a clause for people.
    static var limit: String { get }

    /// Why the level that a rendition signals is wrong, or nil. Too low, and decoders may refuse or fail; too high, and
    /// most devices refuse.
    /// - Parameter bitRate: The maximum rate in bits per second; 0 if it is unknown.
    static func levelProblem(codec: String, size: FrameSize, frameRate: Rational, bitRate: Int64) -> String?

    /// CPU seconds to encode one million pixels with a preset.
    static func encodeCost(_ preset: String) -> Double

    /// The frames that an encoder looks ahead with a preset, which determine its memory.
    static func lookahead(_ preset: String, gopFrames: Int) -> Int

    /// How many times as many bits H.264 needs for the same quality.
    static var efficiency: Double { get }
}

extension VideoCodec {
    /// The conformance of the codec.
    var coding: any VideoCoding.Type {
        switch self {
        case .h264: H264.self
        // The codecs of later waves replace this line by their own.
        case .hevc, .av1: H264.self
        }
    }
}

extension VideoCoding {
    /// The payload of the configuration box, or nil if the init segment has none.
    static func configuration(initSegment: Data) -> Data? { InitSegment.payload(of: configurationBox, in: initSegment) }

    /// Makes the init segment for the encoder's output.
    static func initSegment(of encoder: Encoder, _ rung: Rung, of video: VideoPlan) throws -> Data {
        guard let configuration = configuration(extradata: encoder.extradata) else {
            throw ClairoError.defect("\(rung.id): the encoder gave no parameter sets")
        }
        return FragmentWriter.initSegment(
            TrackDescription(
                rung, of: video, configuration: configuration,
                priming: Int64(video.presentationDelay ?? encoder.reorderDelay) * video.grid.ticksPerFrame))
    }
}
