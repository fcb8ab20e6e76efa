internal import Foundation

/// Frame indices drawn so that they survive scaling and encoding: a grid of four by three blocks, each a black or white
/// bit.
public enum FrameNumbers {
    static let columns = 4
    static let rows = 3

    /// Writes `count` raw grey frames, numbered from 0.
    static func write(_ count: Int, width: Int, height: Int, to path: String) throws {
        guard FileManager.default.createFile(atPath: path, contents: nil) else { throw CocoaError(.fileWriteUnknown) }
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        for number in 0..<count {
            var frame = Data(capacity: width * height)
            for row in 0..<rows {
                var line = Data(capacity: width)
                for column in 0..<columns {
                    let from = column * width / columns
                    let to = (column + 1) * width / columns
                    let isSet = number >> (row * columns + column) & 1 == 1
                    line.append(Data(repeating: isSet ? 235 : 16, count: to - from))
                }
                for _ in row * height / rows..<(row + 1) * height / rows { frame.append(line) }
            }
            try file.write(contentsOf: frame)
        }
        try file.close()
    }

    /// The index shown by each frame of a clip, as decoded by Debian's ffmpeg.
    public static func read(_ path: String, options: [String] = []) async throws -> [Int] {
        // Only the middle of each block: scaling and compression blur the edges.
        let filter = "scale=\(columns * 12):\(rows * 12):flags=area,format=gray"
        let bytes = try await Oracle.frames(path, filter: filter, format: "gray", options: options)
        let width = columns * 12
        let size = width * rows * 12
        return stride(from: 0, to: bytes.count - size + 1, by: size).map { start in
            (0..<columns * rows).reduce(0) { number, bit in
                let (row, column) = bit.quotientAndRemainder(dividingBy: columns)
                let sample = bytes[bytes.startIndex + start + (row * 12 + 6) * width + column * 12 + 6]
                return sample > 125 ? number | 1 << bit : number
            }
        }
    }
}
