internal import ClairoCore

extension AV1 {
    /// A level with its limits (AV1 specification, A.3). The bit rate is that of the Main tier, in the Main profile.
    struct Level: CodecLevel, Hashable {
        /// `seq_level_idx`.
        var index: Int
        /// Samples per frame.
        var frameSize: Int64
        var width: Int
        var height: Int
        /// Shown samples per second.
        var displayRate: Int64
        /// Bits per second.
        var bitRate: Int64

        private init(_ index: Int, _ size: Int64, _ width: Int, _ height: Int, _ rate: Int64, _ kilobits: Int64) {
            self.index = index
            frameSize = size
            self.width = width
            self.height = height
            displayRate = rate
            bitRate = kilobits * 1000
        }

        static let all = [
            Level(0, 147_456, 2048, 1152, 4_423_680, 1_500), Level(1, 278_784, 2816, 1584, 8_363_520, 3_000),
            Level(4, 665_856, 4352, 2448, 19_975_680, 6_000), Level(5, 1_065_024, 5504, 3096, 31_950_720, 10_000),
            Level(8, 2_359_296, 6144, 3456, 70_778_880, 12_000), Level(9, 2_359_296, 6144, 3456, 141_557_760, 20_000),
            Level(12, 8_912_896, 8192, 4352, 267_386_880, 30_000),
            Level(13, 8_912_896, 8192, 4352, 534_773_760, 40_000),
            Level(14, 8_912_896, 8192, 4352, 1_069_547_520, 60_000),
            Level(15, 8_912_896, 8192, 4352, 1_069_547_520, 60_000),
            Level(16, 35_651_584, 16384, 8704, 1_069_547_520, 60_000),
            Level(17, 35_651_584, 16384, 8704, 2_139_095_040, 100_000),
            Level(18, 35_651_584, 16384, 8704, 4_278_190_080, 160_000), highest,
        ]
        static let highest = Level(19, 35_651_584, 16384, 8704, 4_278_190_080, 160_000)

        /// The level as people write it, such as `4.0`.
        var name: String { "\(2 + index / 4).\(index % 4)" }

        /// Whether frames of this size and rate are within the limits.
        func allows(size: FrameSize, frameRate: Rational, bitRate: Int64 = 0) -> Bool {
            let pixels = Int64(size.width) * Int64(size.height)
            return pixels <= frameSize && size.width <= width && size.height <= height
                && (Rational(pixels) * frameRate).floor <= displayRate && bitRate <= self.bitRate
        }
    }

    /// The longest side that hardware decoders accept, in pixels.
    static let longestSide = 8192

    /// SVT-AV1 refuses smaller frames.
    static let shortestSide = 64

    static let limit = "level 6.3, 8192 pixels on a side"

    static func fits(size: FrameSize, frameRate: Rational) -> Bool {
        size.shortSide >= shortestSide && max(size.width, size.height) <= longestSide
            && Level.highest.allows(size: size, frameRate: frameRate)
    }

    /// `seq_level_idx` in a codec string such as `av01.0.08M.08`, and whether it is of the High tier; or nil.
    static func levelIndicator(codec: String) -> (index: Int, isHighTier: Bool)? {
        let parts = codec.split(separator: ".")
        guard parts.count >= 4, parts[0] == "av01", let tier = parts[2].last, tier == "M" || tier == "H",
            let index = Int(parts[2].dropLast())
        else { return nil }
        return (index, tier == "H")
    }

    static func levelProblem(codec: String, size: FrameSize, frameRate: Rational, bitRate: Int64) -> String? {
        guard let (index, isHighTier) = levelIndicator(codec: codec) else { return "\(codec) names no level" }
        guard let level = Level.all.first(where: { $0.index == index }) else {
            return "seq_level_idx \(index) is none of the levels up to \(Level.highest.name)"
        }
        // Clairo makes the Main tier. Copies of the High tier have no planned rate.
        return level.problem(size: size, frameRate: frameRate, bitRate: bitRate, checksRate: !isHighTier)
    }
}
