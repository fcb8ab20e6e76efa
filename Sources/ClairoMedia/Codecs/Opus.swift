internal import ClairoCore
internal import Foundation
internal import Libav

/// Everything specific to Opus: the `Opus` sample entry with its `dOps` box (Encapsulation of Opus in ISO Base Media File
/// Format, 4.3), and libopus.
enum Opus: BoxedAudioCoding {
    static let sampleEntry = "Opus"
    static let configurationBox = "dOps"

    /// RFC 6381. In lower case, as browsers expect it.
    static func codecString(configuration: Data) -> String? { configuration.count >= 11 ? "opus" : nil }

    static func openEncoder(_ track: AudioPlan) throws -> Encoder {
        try Encoder(
            audio: "libopus", channels: track.channels, sampleRate: AudioPlan.sampleRate, bitRate: track.bitRate,
            isInterleaved: true
        ).checked(for: track)
    }

    /// The payload of `dOps`: version 0, the samples to skip, 48 kHz, no gain, channel mapping family 0.
    static func configuration(of encoder: Encoder, _ track: AudioPlan) -> Data {
        var writer = BoxWriter()
        writer.u8(0)
        writer.u8(UInt8(track.channels))
        writer.u16(UInt16(track.priming))
        writer.u32(UInt32(AudioPlan.sampleRate))
        writer.u16(0)
        writer.u8(0)
        return writer.data
    }
}
