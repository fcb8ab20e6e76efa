internal import ClairoCore
internal import Foundation
internal import Libav

/// Everything specific to E-AC-3: the `ec-3` sample entry with its `dec3` box (ETSI TS 102 366, Annex F), and libav's
/// encoder.
enum EAC3: BoxedAudioCoding {
    static let sampleEntry = "ec-3"
    static let configurationBox = "dec3"

    /// RFC 6381 by the sample entry.
    static func codecString(configuration: Data) -> String? { configuration.count >= 5 ? "ec-3" : nil }

    static func openEncoder(_ track: AudioPlan) throws -> Encoder {
        try Encoder(
            audio: "eac3", channels: track.channels, sampleRate: AudioPlan.sampleRate, bitRate: track.bitRate,
            // A decoder mixes 5.1 to stereo as Clairo does, with centre and surround channels at -3 dB.
            options: track.channels == 6
                ? ["loro_cmixlev", "loro_surmixlev", "ltrt_cmixlev", "ltrt_surmixlev"].map { ($0, "0.707") } : []
        ).checked(for: track)
    }

    /// The payload of `dec3`, for the stream that the encoder makes: one independent substream at 48 kHz, bit stream id
    /// 16, a complete main service.
    static func configuration(of encoder: Encoder, _ track: AudioPlan) -> Data {
        var bits = BitWriter()
        bits.write(Int(track.bitRate / 1000), 13)
        bits.write(0, 3)
        bits.write(0, 2)
        bits.write(16, 5)
        bits.write(0, 1)
        bits.write(0, 1)
        bits.write(0, 3)
        bits.write(AC3.channelMode(track.channels), 3)
        bits.write(track.channels == 6 ? 1 : 0, 1)
        bits.write(0, 3)
        bits.write(0, 4)
        bits.write(0, 1)
        return bits.data
    }
}
