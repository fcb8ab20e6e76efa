internal import ClairoCore
internal import Foundation

/// Predicts output size and CPU time before encoding. Based on measurements of x264 on one core (BBB, 1080p, 25 fps).
enum CostModel {
    /// CPU seconds to encode one million pixels.
    private static func encodeCost(_ preset: String) -> Double {
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

    private static let decodeCost = 0.0037
    private static let scaleCost = 0.0012

    /// CPU seconds per source frame, from demuxing to the encoding of all rungs.
    static func cpuSecondsPerFrame(source: FrameSize, rungs: [Rung], preset: String) -> Double {
        let encoded = rungs.filter { !$0.isCopy }.reduce(0.0) { $0 + Double($1.size.pixels) / 1e6 }
        let scaled = rungs.dropFirst().reduce(0.0) { $0 + Double($1.size.pixels) / 1e6 }
        return Double(source.pixels) / 1e6 * decodeCost + scaled * scaleCost + encoded * encodeCost(preset)
    }

    /// The expected bit rate of a rung for average content at this CRF. A CRF higher by six halves the rate.
    static func expectedRate(_ rung: Rung, frameRate: Rational, quality: Double) -> Double {
        let pixels = Double(rung.size.pixels)
        let bitsPerPixel = 0.055 * pow(pixels / 921_600, -0.25) * pow(2, (23 - quality) / 6)
        return min(pixels * frameRate.doubleValue * bitsPerPixel, Double(rung.maxRate))
    }
}
