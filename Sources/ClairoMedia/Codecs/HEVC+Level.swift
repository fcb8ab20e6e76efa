internal import ClairoCore

extension HEVC {
    /// A level with its limits (H.265, tables A.8 and A.9). The bit rate is that of the Main tier.
    struct Level: CodecLevel, Hashable {
        /// `general_level_idc`: thirty times the level.
        var idc: Int
        /// Luma samples per frame.
        var frameSize: Int64
        /// Luma samples per second.
        var sampleRate: Int64
        /// Bits per second.
        var bitRate: Int64

        private init(_ idc: Int, _ size: Int64, _ rate: Int64, _ kilobits: Int64) {
            self.idc = idc
            frameSize = size
            sampleRate = rate
            bitRate = kilobits * 1000
        }

        static let all = [
            Level(30, 36_864, 552_960, 128), Level(60, 122_880, 3_686_400, 1_500),
            Level(63, 245_760, 7_372_800, 3_000), Level(90, 552_960, 16_588_800, 6_000),
            Level(93, 983_040, 33_177_600, 10_000), Level(120, 2_228_224, 66_846_720, 12_000),
            Level(123, 2_228_224, 133_693_440, 20_000), Level(150, 8_912_896, 267_386_880, 25_000),
            Level(153, 8_912_896, 534_773_760, 40_000), Level(156, 8_912_896, 1_069_547_520, 60_000),
            Level(180, 35_651_584, 1_069_547_520, 60_000), Level(183, 35_651_584, 2_139_095_040, 120_000), highest,
        ]
        static let highest = Level(186, 35_651_584, 4_278_190_080, 240_000)

        /// The level as people write it, such as `3.1`.
        var name: String { idc % 30 == 0 ? "\(idc / 30)" : "\(idc / 30).\(idc % 30 / 3)" }

        /// Whether frames of this size and rate are within the limits. The side of a frame may have at most
        /// √(8 · `frameSize`) samples.
        func allows(size: FrameSize, frameRate: Rational, bitRate: Int64 = 0) -> Bool {
            let (width, height) = (HEVC.padded(size.width), HEVC.padded(size.height))
            return width * height <= frameSize && max(width * width, height * height) <= 8 * frameSize
                && (Rational(width * height) * frameRate).floor <= sampleRate && bitRate <= self.bitRate
        }
    }

    /// Frames consist of whole coding blocks of at least eight samples.
    private static func padded(_ pixels: Int) -> Int64 { (Int64(pixels) + 7) / 8 * 8 }

    /// The longest side that hardware decoders accept, in pixels.
    static let longestSide = 8192

    /// libavcodec refuses smaller frames for x265.
    static let shortestSide = 16

    static let limit = "level 6.2, 8192 pixels on a side"

    /// Devices that decode 8K decode up to level 6.2. Apple's accept 5.1 only, which is enough for 2160p at 60 frames
    /// per second.
    static func fits(size: FrameSize, frameRate: Rational) -> Bool {
        size.shortSide >= shortestSide && max(size.width, size.height) <= longestSide
            && Level.highest.allows(size: size, frameRate: frameRate)
    }

    /// `general_level_idc` in a codec string such as `hvc1.1.6.L120.90`, and whether it is of the High tier; or nil.
    static func levelIndicator(codec: String) -> (idc: Int, isHighTier: Bool)? {
        let parts = codec.split(separator: ".")
        guard parts.count >= 4, parts[0] == "hvc1", let tier = parts[3].first, tier == "L" || tier == "H",
            let idc = Int(parts[3].dropFirst())
        else { return nil }
        return (idc, tier == "H")
    }

    static func levelProblem(codec: String, size: FrameSize, frameRate: Rational, bitRate: Int64) -> String? {
        guard let (idc, isHighTier) = levelIndicator(codec: codec) else { return "\(codec) names no level" }
        guard let level = Level.all.first(where: { $0.idc == idc }) else {
            return "level_idc \(idc) is none of the levels up to \(Level.highest.name)"
        }
        // Clairo makes the Main tier. Copies of the High tier have no planned rate.
        return level.problem(size: size, frameRate: frameRate, bitRate: bitRate, checksRate: !isHighTier)
    }
}
