internal import ClairoCore
internal import Foundation
internal import Libav

/// Everything that depends on an audio codec. Each codec has a file with one conformance; `AudioCodec.coding` is the
/// list.
protocol AudioCoding {
    /// Opens an encoder whose access units have the size and priming of `AudioCodec`.
    static func openEncoder(_ track: AudioPlan) throws -> Encoder

    /// The decoder configuration: the AudioSpecificConfig, or the payload of `dac3`, `dec3` or `dOps`.
    static func configuration(of encoder: Encoder, _ track: AudioPlan) -> Data

    /// Writes the audio sample entry with its configuration box.
    static func writeSampleEntry(_ audio: TrackDescription.Audio, to writer: inout BoxWriter)

    /// The decoder configuration, or nil if the init segment has none of this codec.
    static func configuration(initSegment: Data) -> Data?

    /// The RFC 6381 codec string, from the decoder configuration; nil if that is damaged.
    static func codecString(configuration: Data) -> String?
}

/// An audio codec whose sample entry holds the decoder configuration as the payload of a box.
protocol BoxedAudioCoding: AudioCoding {
    /// The type of the audio sample entry, such as `ac-3`.
    static var sampleEntry: String { get }
    /// The type of the box with the decoder configuration, such as `dac3`.
    static var configurationBox: String { get }
}

extension BoxedAudioCoding {
    static func writeSampleEntry(_ audio: TrackDescription.Audio, to writer: inout BoxWriter) {
        AudioSampleEntry.write(sampleEntry, audio, to: &writer) {
            $0.box(configurationBox) { $0.bytes(audio.configuration) }
        }
    }

    static func configuration(initSegment: Data) -> Data? { InitSegment.payload(of: configurationBox, in: initSegment) }
}

extension AudioCodec {
    /// The conformance of the codec.
    var coding: any AudioCoding.Type {
        switch self {
        case .aac: AAC.self
        case .ac3: AC3.self
        case .eac3: EAC3.self
        case .opus: Opus.self
        }
    }
}

extension AudioCoding {
    /// Makes the init segment for the encoder's output.
    static func initSegment(of encoder: Encoder, _ track: AudioPlan) -> Data {
        FragmentWriter.initSegment(
            TrackDescription(track, configuration: configuration(of: encoder, track), priming: Int64(track.delay)))
    }
}
