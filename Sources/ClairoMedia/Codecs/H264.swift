internal import ClairoCore
internal import Foundation
internal import Libav

/// Everything specific to H.264 (ITU-T H.264): its NAL units, the `avc1` sample entry, and x264 as its encoder.
enum H264: VideoCoding {
    static let sampleEntry = "avc1"
    static let configurationBox = "avcC"
    static let efficiency = 1.0
    static let limit = "level 5.2, 4096 pixels on a side"

    enum NALType {
        static let idr: UInt8 = 5
        static let sps: UInt8 = 7
        static let pps: UInt8 = 8
    }

    /// Splits an Annex B byte stream at its start codes.
    static func nalUnits(annexB data: Data) -> [Data] {
        var starts: [(code: Int, payload: Int)] = []
        data.withUnsafeBytes { bytes in
            var index = 0
            while index + 2 < bytes.count {
                if bytes[index + 2] > 1 {
                    index += 3
                } else if bytes[index] == 0, bytes[index + 1] == 0, bytes[index + 2] == 1 {
                    let code = index > 0 && bytes[index - 1] == 0 ? index - 1 : index
                    starts.append((code, index + 3))
                    index += 3
                } else {
                    index += 1
                }
            }
        }
        return starts.enumerated().map { position, start in
            let end = position + 1 < starts.count ? starts[position + 1].code : data.count
            return data.subdata(in: data.startIndex + start.payload..<data.startIndex + max(end, start.payload))
        }
    }

    /// Splits an access unit with length-prefixed NAL units. Returns nil if a length is wrong.
    static func nalUnits(lengthPrefixed data: Data, lengthSize: Int) -> [Data]? {
        var units: [Data] = []
        var position = data.startIndex
        while position < data.endIndex {
            guard data.endIndex - position >= lengthSize else { return nil }
            let length = data[position..<position + lengthSize].reduce(0) { $0 << 8 | Int($1) }
            position += lengthSize
            guard length <= data.endIndex - position else { return nil }
            units.append(data.subdata(in: position..<position + length))
            position += length
        }
        return units
    }

    static func type(of unit: Data) -> UInt8 { (unit.first ?? 0) & 0x1F }

    /// Makes an `avc1` sample: four-byte lengths, without units that the sample entry holds or no decoder needs
    /// (parameter sets, delimiters, filler, SEI such as the encoder's banner in every IDR).
    static func sample(from units: [Data]) -> Data { lengthPrefixed(units) { isKept(type(of: $0)) } }

    /// NAL units with four-byte lengths, without those that are not kept. HEVC's samples have the same form.
    static func lengthPrefixed(_ units: [Data], where isKept: (Data) -> Bool) -> Data {
        var sample = Data()
        for unit in units where isKept(unit) {
            withUnsafeBytes(of: UInt32(unit.count).bigEndian) { sample.append(contentsOf: $0) }
            sample.append(unit)
        }
        return sample
    }

    private static func isKept(_ type: UInt8) -> Bool { (1...5).contains(type) }

    /// Makes an AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1) for High and lower profiles in 8-bit 4:2:0.
    static func configuration(sps: [Data], pps: [Data]) -> Data? {
        guard let first = sps.first, first.count >= 4 else { return nil }
        let header = Array(first.prefix(4))
        var record: [UInt8] = [1, header[1], header[2], header[3], 0xFF, 0xE0 | UInt8(sps.count & 31)]
        for unit in sps { record += [UInt8(unit.count >> 8), UInt8(unit.count & 255)] + Array(unit) }
        record.append(UInt8(pps.count & 255))
        for unit in pps { record += [UInt8(unit.count >> 8), UInt8(unit.count & 255)] + Array(unit) }
        if [100, 110, 122, 144].contains(header[1]) { record += [0xFC | 1, 0xF8, 0xF8, 0] }
        return Data(record)
    }

    /// Makes the payload of `avcC` from an encoder's Annex B parameter sets.
    static func configuration(extradata: Data) -> Data? {
        let units = nalUnits(annexB: extradata)
        return configuration(
            sps: units.filter { type(of: $0) == NALType.sps }, pps: units.filter { type(of: $0) == NALType.pps })
    }

    /// The RFC 6381 codec string: `avc1.` and bytes 1 to 3 of `avcC` (profile, constraints and level) in hexadecimal.
    static func codecString(configuration: Data) -> String? {
        guard configuration.count >= 4 else { return nil }
        let bytes = configuration.dropFirst().prefix(3)
        return "avc1." + bytes.hexadecimal
    }
}

// MARK: In MP4

extension H264 {
    static func sample(packet: Data) -> Data { sample(from: nalUnits(annexB: packet)) }

    /// Whether an `avc1` sample holds an IDR picture, where decoding can begin.
    static func isKeyFrame(sample: Data) -> Bool {
        nalUnits(lengthPrefixed: sample, lengthSize: 4)?.contains { type(of: $0) == NALType.idr } ?? false
    }
}

// MARK: Encoding

extension H264 {
    static let encoder = "libx264"

    /// Opens an encoder for one run of a rung's segments, with closed GOPs of fixed length, so that runs can be joined.
    static func openEncoder(
        _ rung: Rung, of video: VideoPlan, settings: TranscodeSettings, first frame: Frame
    ) throws -> Encoder {
        let gop = video.grid.gopFrames
        return try Encoder(
            video: VideoEncoderSettings(
                encoder, rung, of: video,
                options: [
                    // Below 1, x264 codes without loss, which the High profile does not have.
                    ("preset", settings.preset), ("crf", String(max(1, settings.quality))), ("profile", "high"),
                    (
                        "x264-params",
                        "scenecut=0:open-gop=0:min-keyint=\(gop)"
                            + ":rc-lookahead=\(lookahead(settings.preset, gopFrames: gop))"
                            + references(preset: settings.preset, size: rung.size)
                            + instructionSets(width: rung.size.width)
                    ),
                ]),
            first: frame)
    }

    /// Limits the reference frames of slow presets to those of level 5.2. Otherwise x264 chooses a higher level for
    /// large frames.
    private static func references(preset: String, size: FrameSize) -> String {
        let count = ["slower": 8, "veryslow": 16][preset] ?? 0
        let most = max(1, Level.highest.bufferedFrames(size: size))
        return count > most ? ":ref=\(most)" : ""
    }

    /// The last x264 build known to have the bug that `instructionSets` works around.
    private static let lastFaultyX264 = 164

    /// Up to build 164, x264's macroblock tree processes eight macroblocks at a time with AVX-512 and reads stale
    /// memory past the end of a row, so the same frames give different bytes on the next run. Sizes with a row length
    /// that is not a multiple of eight macroblocks, such as 854x480 and 426x240, are encoded without AVX-512.
    private static func instructionSets(width: Int) -> String {
        let macroblocks = (width + 15) / 16
        guard Processor.hasAVX512, X264.build ?? 0 <= lastFaultyX264, macroblocks % 8 != 0 else { return "" }
        return ":asm=MMX2,SSE2Fast,LZCNT,SSSE3,SSE4.2,AVX,FMA3,BMI2,AVX2"
    }

    /// Measured with x264 on one core (BBB, 1080p, 25 fps).
    static func encodeCost(_ preset: String) -> Double {
        switch preset {
        case "ultrafast": 0.005
        case "superfast": 0.008
        case "veryfast": 0.0127
        case "faster": 0.020
        case "fast": 0.026
        case "slow": 0.055
        case "slower": 0.11
        case "veryslow": 0.19
        default: 0.0305
        }
    }

    /// The lookahead of an x264 preset in frames (`x264 --fullhelp`), at most half a GOP. GOPs are closed, so frames
    /// after the next IDR do not help the encoder. On three clips the limit cost 0.2 to 0.8 % bit rate at equal PSNR
    /// and saved a quarter of the memory at `medium`.
    static func lookahead(_ preset: String, gopFrames: Int) -> Int {
        let usual =
            switch preset {
            case "ultrafast", "superfast": 0
            case "veryfast": 10
            case "faster": 20
            case "fast": 30
            case "slow": 50
            case "slower", "veryslow": 60
            default: 40
            }
        return min(usual, max(10, gopFrames / 2))
    }

    /// The lookahead takes about twice the size of its frames.
    static func heldFrames(_ preset: String, gopFrames: Int) -> Double {
        2.2 * Double(lookahead(preset, gopFrames: gopFrames) + 8)
    }
}
