internal import ClairoCore
internal import Foundation
internal import Libav

/// Everything specific to AAC-LC: its AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1), the `mp4a` sample entry, and
/// libav's encoder.
enum AAC: AudioCoding {
    /// The RFC 6381 codec string: `mp4a.40.` and the audio object type.
    static func codecString(configuration: Data) -> String? {
        guard let first = configuration.first else { return nil }
        let type = first >> 3
        guard type == 31 else { return "mp4a.40.\(type)" }
        guard let second = configuration.dropFirst().first else { return nil }
        return "mp4a.40.\(32 + Int((first & 7) << 3 | second >> 5))"
    }
}

// MARK: In MP4

extension AAC {
    /// Writes `mp4a` with an `esds` (ISO/IEC 14496-14, 5.6).
    static func writeSampleEntry(_ audio: TrackDescription.Audio, to writer: inout BoxWriter) {
        AudioSampleEntry.write("mp4a", audio, to: &writer) { box in
            // ES_Descriptor of ISO/IEC 14496-1 with object type 0x40 (MPEG-4 audio) in an audio stream.
            box.fullBox("esds") { esds in
                let specific = [0x05, UInt8(audio.configuration.count)] + Array(audio.configuration)
                var decoder: [UInt8] = [0x40, 0x15, 0, 0, 0]
                for _ in 0..<2 {
                    decoder += withUnsafeBytes(of: UInt32(clamping: audio.bitRate).bigEndian) { Array($0) }
                }
                decoder += specific
                let stream: [UInt8] = [0, 0, 0] + [0x04, UInt8(decoder.count)] + decoder + [0x06, 1, 2]
                esds.bytes([0x03, UInt8(stream.count)] + stream)
            }
        }
    }

    /// Reads the AudioSpecificConfig from `esds`; nil if the init segment has none in Clairo's own layout.
    static func configuration(initSegment: Data) -> Data? {
        // Version and flags, ES_Descriptor header and ids, DecoderConfigDescriptor, then the tag and length of the
        // config.
        guard let esds = InitSegment.payload(of: "esds", in: initSegment), esds.count > 26 else { return nil }
        let bytes = Array(esds)
        let length = Int(bytes[25])
        guard bytes[24] == 0x05, bytes.count >= 26 + length else { return nil }
        return Data(bytes[26..<26 + length])
    }
}

// MARK: Encoding

extension AAC {
    static func openEncoder(_ track: AudioPlan) throws -> Encoder {
        try Encoder(
            audio: "aac", channels: track.channels, sampleRate: AudioPlan.sampleRate, bitRate: track.bitRate
        ).checked(for: track)
    }

    static func configuration(of encoder: Encoder, _ track: AudioPlan) -> Data { encoder.extradata }
}
