internal import ClairoCore
internal import Foundation
internal import Libav

/// Everything specific to H.264 (ITU-T H.264): its NAL units, the `avc1` sample entry, and x264 as its encoder.
enum H264 {
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
    static func sample(from units: [Data]) -> Data {
        var sample = Data()
        for unit in units where isKept(type(of: unit)) {
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
    static func configuration(annexB extradata: Data) -> Data? {
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
    /// Writes `avc1` (ISO/IEC 14496-15, 5.4.2).
    static func writeSampleEntry(
        size: FrameSize, configuration: Data, color: ColorDescription, to writer: inout BoxWriter
    ) {
        writer.box("avc1") { box in
            box.zeros(6)
            box.u16(1)
            box.zeros(16)
            box.u16(UInt16(clamping: size.width))
            box.u16(UInt16(clamping: size.height))
            box.u32(0x0048_0000)
            box.u32(0x0048_0000)
            box.u32(0)
            box.u16(1)
            box.zeros(32)
            box.u16(24)
            box.u16(0xFFFF)
            box.box("avcC") { $0.bytes(configuration) }
            if color.primaries != 2 || color.transfer != 2 || color.matrix != 2 {
                box.box("colr") { colr in
                    colr.text("nclx")
                    colr.u16(UInt16(clamping: color.primaries))
                    colr.u16(UInt16(clamping: color.transfer))
                    colr.u16(UInt16(clamping: color.matrix))
                    colr.u8(color.isFullRange ? 0x80 : 0)
                }
            }
            box.box("pasp") { pasp in
                pasp.u32(1)
                pasp.u32(1)
            }
        }
    }

    /// The payload of `avcC`, or nil if the init segment has none.
    static func configuration(initSegment: Data) -> Data? { InitSegment.payload(of: "avcC", in: initSegment) }

    /// The frame size in the visual sample entry (ISO/IEC 14496-12, 12.1.3), or nil if there is none.
    static func frameSize(initSegment: Data) -> FrameSize? {
        guard let entry = InitSegment.payload(of: "avc1", in: initSegment), entry.count >= 28 else { return nil }
        let bytes = Array(entry.prefix(28))
        return FrameSize(
            width: Int(bytes[24]) << 8 | Int(bytes[25]), height: Int(bytes[26]) << 8 | Int(bytes[27]))
    }

    /// Whether an `avc1` sample holds an IDR picture, where decoding can begin.
    static func holdsIDR(sample: Data) -> Bool {
        nalUnits(lengthPrefixed: sample, lengthSize: 4)?.contains { type(of: $0) == NALType.idr } ?? false
    }
}

// MARK: Encoding

extension H264 {
    /// Opens an encoder for one run of a rung's segments, with closed GOPs of fixed length, so that runs can be joined.
    static func openEncoder(
        _ rung: Rung, of video: VideoPlan, settings: TranscodeSettings, first frame: Frame
    ) throws -> Encoder {
        let rate = video.grid.frameRate
        let gop = video.grid.gopFrames
        return try Encoder(
            video: VideoEncoderSettings(
                encoder: "libx264", width: rung.size.width, height: rung.size.height,
                frameRate: Ratio(Int32(clamping: rate.num), Int32(clamping: rate.den)), gopFrames: gop,
                maxRate: rung.maxRate, bufferSize: rung.bufferSize,
                options: [
                    ("preset", settings.preset), ("crf", String(settings.quality)), ("profile", "high"),
                    (
                        "x264-params",
                        "scenecut=0:open-gop=0:min-keyint=\(gop)"
                            + ":rc-lookahead=\(CostModel.lookahead(settings.preset, gopFrames: gop))"
                            + references(preset: settings.preset, size: rung.size)
                            + instructionSets(width: rung.size.width)
                    ),
                ],
                threads: 1, colorPrimaries: Int32(video.color.primaries), colorTransfer: Int32(video.color.transfer),
                colorMatrix: Int32(video.color.matrix)),
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

    /// Makes the init segment for the encoder's output.
    static func initSegment(of encoder: Encoder, _ rung: Rung, of video: VideoPlan) throws -> Data {
        guard let configuration = configuration(annexB: encoder.extradata) else {
            throw ClairoError.defect("\(rung.name): x264 gave no parameter sets")
        }
        let track = TrackDescription(
            media: .h264(size: rung.size, configuration: configuration, color: video.color),
            timescale: video.grid.timescale, language: "und",
            priming: Int64(encoder.reorderDelay) * video.grid.ticksPerFrame)
        return FragmentWriter.initSegment(track)
    }
}
