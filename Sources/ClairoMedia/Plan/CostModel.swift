internal import ClairoCore
internal import Foundation

/// Predicts output size and CPU time before encoding.
enum CostModel {
    private static let decodeCost = 0.0037
    private static let scaleCost = 0.0012

    /// CPU seconds per source frame, from demuxing to the encoding of all rungs.
    static func cpuSecondsPerFrame(source: FrameSize, rungs: [Rung], preset: String) -> Double {
        let encoded = rungs.filter { !$0.isCopy }.reduce(0.0) {
            $0 + Double($1.size.pixels) / 1e6 * $1.codec.coding.encodeCost(preset)
        }
        let scaled = rungs.dropFirst().reduce(0.0) { $0 + Double($1.size.pixels) / 1e6 }
        return Double(source.pixels) / 1e6 * decodeCost + scaled * scaleCost + encoded
    }

    /// The expected bit rate of a rung for average content at this CRF. A CRF higher by six halves the rate.
    static func expectedRate(_ rung: Rung, frameRate: Rational, quality: Double) -> Double {
        let pixels = Double(rung.size.pixels)
        let bitsPerPixel =
            0.055 * pow(pixels / 921_600, -0.25) * pow(2, (23 - quality) / 6) / rung.codec.coding.efficiency
        return min(pixels * frameRate.doubleValue * bitsPerPixel, Double(rung.maxRate))
    }
}
