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

    /// libav's name of the encoder.
    static var encoder: String { get }

    /// The parameter sets of what an encoder makes, in the codec's own format.
    /// - Parameter packet: The encoder's first packet.
    static func parameterSets(of encoder: Encoder, first packet: Data) -> Data

    /// The number of frames by which the encoder's decoding order is ahead of presentation order.
    static func reorderDelay(of encoder: Encoder) -> Int

    /// The payload of the configuration box, from the encoder's parameter sets; nil if they are incomplete.
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

    /// The shortest side that the encoder accepts, in pixels.
    static var shortestSide: Int { get }

    /// Bits per component of rungs in SDR.
    static var sdrBitDepth: Int { get }

    /// How the coded pictures of a source can be copied, from the configuration in its container; nil if they cannot.
    static func copyFormat(record: Data) -> (any CopyFormat)?

    /// Whether common devices decode a profile in this pixel format, both by libav's name.
    static func isCommon(profile: String, pixelFormat: String) -> Bool

    /// Why the level that a rendition signals is wrong, or nil. Too low, and decoders may refuse or fail; too high, and
    /// most devices refuse.
    /// - Parameter bitRate: The maximum rate in bits per second; 0 if it is unknown.
    static func levelProblem(codec: String, size: FrameSize, frameRate: Rational, bitRate: Int64) -> String?

    /// CPU seconds to encode one million pixels with a preset.
    static func encodeCost(_ preset: String) -> Double

    /// The memory of an encoder with a preset, in frames of 4:2:0.
    static func heldFrames(_ preset: String, gopFrames: Int) -> Double

    /// How many times as many bits H.264 needs for the same quality.
    static var efficiency: Double { get }
}

extension VideoCodec {
    /// The conformance of the codec.
    var coding: any VideoCoding.Type {
        switch self {
        case .h264: H264.self
        case .hevc: HEVC.self
        case .av1: AV1.self
        }
    }

    /// The name for people.
    var title: String {
        switch self {
        case .h264: "H.264"
        case .hevc: "HEVC"
        case .av1: "AV1"
        }
    }
}

extension VideoCoding {
    static var shortestSide: Int { 2 }
    static var sdrBitDepth: Int { 8 }

    static func parameterSets(of encoder: Encoder, first packet: Data) -> Data { encoder.extradata }

    static func reorderDelay(of encoder: Encoder) -> Int { encoder.reorderDelay }

    /// The payload of the configuration box, or nil if the init segment has none.
    static func configuration(initSegment: Data) -> Data? { InitSegment.payload(of: configurationBox, in: initSegment) }

    /// Makes the init segment for the encoder's output.
    /// - Parameter packet: The encoder's first packet.
    static func initSegment(
        of encoder: Encoder, first packet: Data, _ rung: Rung, of video: VideoPlan
    ) throws -> Data {
        guard let configuration = configuration(extradata: parameterSets(of: encoder, first: packet)) else {
            throw ClairoError.defect("\(rung.id): the encoder gave no parameter sets")
        }
        return FragmentWriter.initSegment(
            TrackDescription(
                rung, of: video, configuration: configuration,
                priming: Int64(video.presentationDelay ?? reorderDelay(of: encoder)) * video.grid.ticksPerFrame))
    }
}

/// How the coded pictures of a source are copied, according to the configuration in its container.
protocol CopyFormat: Sendable {
    /// The payload of the configuration box for the copy.
    var configuration: Data { get }
    /// The codec strings of the configuration and its parameter sets, each of which contains a level.
    var codecs: [String] { get }

    /// The format of a stream that begins with a sample.
    func corrected(by sample: Data) -> any CopyFormat

    /// A sample of the source as one of the copy; nil if it is damaged.
    func picture(_ sample: Data) -> CopiedPicture?
}

extension CopyFormat {
    func corrected(by sample: Data) -> any CopyFormat { self }
}

/// A coded picture of a source.
struct CopiedPicture: Sendable, Hashable {
    /// The sample for the copy.
    var sample: Data
    /// Whether decoding can begin here, and nothing after it refers to what is before.
    var isKeyFrame: Bool
    /// Whether it contains parameter sets that the configuration does not have.
    var changesParameters: Bool
}
