internal import ClairoCore
internal import Foundation
internal import Libav

/// How well a frame represents a video: sharp, neither too dark nor too bright, and with many shades.
///
/// All three are needed. Titles on a plain ground have the sharpest edges but few shades; a fade has neither; noise in
/// the dark is sharp. Every measure is of the luma at a limited number of points, so that it costs the same for frames
/// of any size.
struct PictureScore {
    /// The entropy of the luma in 32 classes, from 0 for one shade to 1 for all shades equally.
    private(set) var shades = 0.0
    /// The mean difference of a point from the four points around it, from 0 to 1. A hard edge counts no more than a
    /// clear one.
    private(set) var sharpness = 0.0
    /// From 0 for black or white to 1 for a mean luma in the middle.
    private(set) var exposure = 0.0

    /// The points of a frame that are measured, in each direction.
    private static let points = (across: 160, down: 90)
    /// A difference in luma at which an edge is clear.
    private static let clearEdge = 32

    /// - Parameter frame: A frame in limited range.
    init(_ frame: Frame) throws {
        var frame = frame
        if frame.bitDepth > 8 {
            let size = FrameSize(width: frame.width, height: frame.height)
            frame = try StillImage.convert(frame, size: size, format: .webP)
        }
        self.init(width: frame.width, height: frame.height) { frame.luma(row: $0) }
    }

    /// - Parameter row: Returns a row of the luma, in limited range.
    init(width: Int, height: Int, row: (Int) -> [UInt8]) {
        var classes = [Int](repeating: 0, count: 32)
        var sum = 0
        var edges = 0
        var count = 0
        let columns = stride(from: 1, to: width - 1, by: max(1, width / Self.points.across))
        for number in stride(from: 1, to: height - 1, by: max(1, height / Self.points.down)) {
            let (above, line, below) = (row(number - 1), row(number), row(number + 1))
            guard [above, line, below].allSatisfy({ $0.count == width }) else { continue }
            for column in columns {
                let value = Int(line[column])
                let around =
                    Int(above[column]) + Int(below[column]) + Int(line[column - 1]) + Int(line[column + 1])
                classes[value >> 3] += 1
                sum += value
                edges += min(abs(4 * value - around), Self.clearEdge)
                count += 1
            }
        }
        guard count > 0 else { return }
        let total = Double(count)
        shades =
            classes.reduce(0.0) { entropy, number in
                let part = Double(number) / total
                return number == 0 ? entropy : entropy - part * log2(part)
            } / 5
        sharpness = Double(edges) / total / Double(Self.clearEdge)
        let mean = Double(sum) / total
        // Black is 16 and white 235.
        exposure = max(0, min(1, (mean - 16) / 48, (235 - mean) / 48))
    }

    /// One number to compare frames. The small summands order frames without edges or shades by their exposure, so that
    /// black is the worst.
    var value: Double { (0.02 + shades * shades) * (0.02 + sharpness).squareRoot() * (0.02 + exposure) }

    /// Whether the frame is black, or nearly of one shade.
    var isPlain: Bool { shades < 0.05 || exposure == 0 }
}

extension Frame {
    /// A row of the luma of an 8-bit frame; empty if there is none.
    func luma(row: Int) -> [UInt8] { withRow(plane: 0, row: row, width: width) { Array($0) } ?? [] }
}
