internal import ClairoCore
internal import Foundation
internal import Libav

/// Everything specific to AC-3: the `ac-3` sample entry with its `dac3` box (ETSI TS 102 366, Annex F), and libav's
/// encoder.
enum AC3: BoxedAudioCoding {
    static let sampleEntry = "ac-3"
    static let configurationBox = "dac3"

    /// The rates in kbit/s that a frame can have, in the order of their codes (ETSI TS 102 366, table F.4.1).
    static let rates: [Int64] = [
        32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640,
    ]

    /// RFC 6381 by the sample entry.
    static func codecString(configuration: Data) -> String? { configuration.count == 3 ? "ac-3" : nil }

    static func openEncoder(_ track: AudioPlan) throws -> Encoder {
        try Encoder(
            audio: "ac3", channels: track.channels, sampleRate: AudioPlan.sampleRate, bitRate: track.bitRate,
            // A decoder mixes 5.1 to stereo as Clairo does, with centre and surround channels at -3 dB.
            options: track.channels == 6 ? [("center_mixlev", "0.707"), ("surround_mixlev", "0.707")] : []
        ).checked(for: track)
    }

    /// The payload of `dac3`, for the stream that the encoder makes: 48 kHz, bit stream id 8, a complete main service.
    static func configuration(of encoder: Encoder, _ track: AudioPlan) -> Data {
        let rate = rates.firstIndex(of: track.bitRate / 1000) ?? 0
        var bits = BitWriter()
        bits.write(0, 2)
        bits.write(8, 5)
        bits.write(0, 3)
        bits.write(Self.channelMode(track.channels), 3)
        bits.write(track.channels == 6 ? 1 : 0, 1)
        bits.write(rate, 5)
        bits.write(0, 5)
        return bits.data
    }

    /// The audio coding mode: mono, stereo, or three front and two surround channels.
    static func channelMode(_ channels: Int) -> Int {
        switch channels {
        case 1: 1
        case 2: 2
        default: 7
        }
    }
}

extension Encoder {
    /// Checks that its access units have the size and the priming that plans rely on.
    func checked(for track: AudioPlan) throws(ClairoError) -> Encoder {
        guard frameSize == track.frameSamples, initialPadding == track.priming else {
            throw .defect(
                "libav's \(track.codec.rawValue) encoder has \(frameSize) samples per frame and \(initialPadding) of "
                    + "priming, not \(track.frameSamples) and \(track.priming)")
        }
        return self
    }
}

/// The part of an audio sample entry that all codecs share (ISO/IEC 14496-12, 12.2.3).
enum AudioSampleEntry {
    /// - Parameter configuration: Writes the configuration box.
    static func write(
        _ type: String, _ audio: TrackDescription.Audio, to writer: inout BoxWriter,
        configuration: (inout BoxWriter) -> Void
    ) {
        writer.box(type) { box in
            box.zeros(6)
            box.u16(1)
            box.zeros(8)
            box.u16(UInt16(audio.channels))
            box.u16(16)
            box.zeros(4)
            box.u32(UInt32(audio.sampleRate) << 16)
            configuration(&box)
            BitRateBox(bufferSize: 0, maximum: audio.bitRate, average: audio.bitRate).write(to: &box)
        }
    }
}

/// Writes fields of bits, the most significant first.
struct BitWriter {
    private(set) var data = Data()
    private var used = 0

    mutating func write(_ value: Int, _ count: Int) {
        for shift in (0..<count).reversed() {
            if used % 8 == 0 { data.append(0) }
            data[data.count - 1] |= UInt8(value >> shift & 1) << UInt8(7 - used % 8)
            used += 1
        }
    }
}
