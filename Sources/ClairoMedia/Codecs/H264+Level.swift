internal import ClairoCore

extension H264 {
    /// A level with its limits (ISO/IEC 14496-10, table A-1). The bit rate applies to the High profile (A.3.3).
    struct Level: CodecLevel, Hashable {
        /// `level_idc`: ten times the level. 9 is level 1b in the High profile.
        var idc: Int
        /// Macroblocks per second.
        var macroblockRate: Int64
        /// Macroblocks per frame.
        var frameSize: Int64
        /// Macroblocks in the decoded picture buffer.
        var pictureBuffer: Int64
        /// Bits per second.
        var bitRate: Int64

        private init(_ idc: Int, _ rate: Int64, _ size: Int64, _ buffer: Int64, _ kilobits: Int64) {
            self.idc = idc
            macroblockRate = rate
            frameSize = size
            pictureBuffer = buffer
            bitRate = kilobits * 1250
        }

        /// All levels that Clairo makes. Hardly any device decodes more than 5.2.
        static let all = [
            Level(10, 1_485, 99, 396, 64), Level(9, 1_485, 99, 396, 128), Level(11, 3_000, 396, 900, 192),
            Level(12, 6_000, 396, 2_376, 384), Level(13, 11_880, 396, 2_376, 768),
            Level(20, 11_880, 396, 2_376, 2_000), Level(21, 19_800, 792, 4_752, 4_000),
            Level(22, 20_250, 1_620, 8_100, 4_000), Level(30, 40_500, 1_620, 8_100, 10_000),
            Level(31, 108_000, 3_600, 18_000, 14_000), Level(32, 216_000, 5_120, 20_480, 20_000),
            Level(40, 245_760, 8_192, 32_768, 20_000), Level(41, 245_760, 8_192, 32_768, 50_000),
            Level(42, 522_240, 8_704, 34_816, 50_000), Level(50, 589_824, 22_080, 110_400, 135_000),
            Level(51, 983_040, 36_864, 184_320, 240_000), highest,
        ]
        static let highest = Level(52, 2_073_600, 36_864, 184_320, 240_000)

        /// The level as people write it, such as `3.1`.
        var name: String { idc == 9 ? "1b" : idc % 10 == 0 ? "\(idc / 10)" : "\(idc / 10).\(idc % 10)" }

        /// Whether frames of this size and rate are within the limits. The side of a frame may have at most
        /// √(8 · `frameSize`) macroblocks. Rates are compared in whole units, as x264 does when it chooses a level.
        func allows(size: FrameSize, frameRate: Rational, bitRate: Int64 = 0) -> Bool {
            let (columns, rows) = (H264.macroblocks(size.width), H264.macroblocks(size.height))
            return columns * rows <= frameSize && max(columns * columns, rows * rows) <= 8 * frameSize
                && (Rational(columns * rows) * frameRate).floor <= macroblockRate
                && bitRate / 1000 <= self.bitRate / 1000
        }

        /// The number of frames of this size that the decoded picture buffer holds.
        func bufferedFrames(size: FrameSize) -> Int {
            Int(min(16, pictureBuffer / max(H264.macroblocks(size.width) * H264.macroblocks(size.height), 1)))
        }
    }

    private static func macroblocks(_ pixels: Int) -> Int64 { (Int64(pixels) + 15) / 16 }

    /// The longest side that hardware decoders accept, in pixels.
    static let longestSide = 4096

    /// Whether an H.264 rendition of this size and frame rate plays on common devices: up to level 5.2 and 4096 pixels
    /// on a side.
    static func fits(size: FrameSize, frameRate: Rational) -> Bool {
        max(size.width, size.height) <= longestSide && Level.highest.allows(size: size, frameRate: frameRate)
    }

    /// `level_idc` in a codec string such as `avc1.64001f`, or nil. Level 1b of the lower profiles, which is 11 with a
    /// constraint flag, is returned as 9.
    static func levelIndicator(codec: String) -> Int? {
        let digits = codec.split(separator: ".").last.map(String.init) ?? ""
        guard digits.count == 6, let value = Int(digits, radix: 16) else { return nil }
        let (profile, constraints, level) = (value >> 16, value >> 8 & 255, value & 255)
        return level == 11 && constraints & 0x10 != 0 && [66, 77, 88].contains(profile) ? 9 : level
    }

    /// Why the level that a rendition signals is wrong, or nil. Too low, and decoders may refuse or fail; too high, and
    /// most devices refuse.
    static func levelProblem(codec: String, size: FrameSize, frameRate: Rational, bitRate: Int64) -> String? {
        guard let idc = levelIndicator(codec: codec) else { return "\(codec) names no level" }
        guard let level = Level.all.first(where: { $0.idc == idc }) else {
            return "level_idc \(idc) is none of the levels up to \(Level.highest.name)"
        }
        return level.problem(size: size, frameRate: frameRate, bitRate: bitRate)
    }
}
