internal import Foundation

/// Some frames of a video in YUV 4:2:0 with 8 bits, as decoded by Debian's ffmpeg, and the colours that a player shows
/// according to the stream's tags.
public struct DecodedFrames: Sendable {
    public struct NotTagged: Error, CustomStringConvertible {
        public var matrix: String
        public var description: String { "the stream's matrix is \(matrix)" }
    }

    public let width: Int
    public let height: Int
    /// How many frames there are.
    public let count: Int
    /// The name of the matrix in ffprobe's words, such as `bt709`; `unknown` if the stream has no tag.
    public let matrix: String
    private let isFullRange: Bool
    private let bytes: [UInt8]

    /// Decodes the frames with these indexes, or all.
    public init(_ path: String, frames: [Int]? = nil) async throws {
        let stream = try await Oracle.probe(path, "streams", "-select_streams", "v:0").first ?? [:]
        width = stream["width"].flatMap { Int($0) } ?? 0
        height = stream["height"].flatMap { Int($0) } ?? 0
        matrix = stream["color_space"] ?? "unknown"
        isFullRange = stream["color_range"] == "pc"
        let wanted = frames.map { $0.map { "eq(n,\($0))" }.joined(separator: "+") } ?? "1"
        bytes = [UInt8](try await Oracle.frames(path, filter: "select='\(wanted)'", format: "yuv420p"))
        let chroma = ((width + 1) / 2) * ((height + 1) / 2)
        count = width * height == 0 ? 0 : bytes.count / (width * height + 2 * chroma)
    }

    /// Where a plane of a frame begins, and its size. Plane 0 is luma.
    private func plane(_ index: Int, ofFrame frame: Int) -> (start: Int, width: Int, height: Int) {
        let (chromaWidth, chromaHeight) = ((width + 1) / 2, (height + 1) / 2)
        let start = frame * (width * height + 2 * chromaWidth * chromaHeight)
        guard index > 0 else { return (start, width, height) }
        return (start + width * height + (index - 1) * chromaWidth * chromaHeight, chromaWidth, chromaHeight)
    }

    /// The mean of the middle of a cell in a plane that is divided into equal cells.
    private func mean(_ index: Int, _ frame: Int, column: Int, of columns: Int, row: Int, of rows: Int) -> Double {
        let (start, width, height) = plane(index, ofFrame: frame)
        let across = (4 * column + 1) * width / (4 * columns)..<(4 * column + 3) * width / (4 * columns)
        let down = (4 * row + 1) * height / (4 * rows)..<(4 * row + 3) * height / (4 * rows)
        var sum = 0
        for y in down {
            for x in across { sum += Int(bytes[start + y * width + x]) }
        }
        return Double(sum) / Double(max(1, across.count * down.count))
    }

    /// The colours of a frame that is divided into equal cells, row by row: red, green and blue from 0 to 255.
    public func colors(ofFrame frame: Int, columns: Int, rows: Int) throws -> [[Double]] {
        // ITU-T H.273, table 4.
        let weights: (red: Double, blue: Double)
        switch matrix {
        case "bt709": weights = (0.2126, 0.0722)
        case "smpte170m", "bt470bg": weights = (0.299, 0.114)
        case "bt2020nc": weights = (0.2627, 0.0593)
        default: throw NotTagged(matrix: matrix)
        }
        return (0..<columns * rows).map { cell in
            let (row, column) = cell.quotientAndRemainder(dividingBy: columns)
            let planes = (0..<3).map { mean($0, frame, column: column, of: columns, row: row, of: rows) }
            let y = isFullRange ? planes[0] / 255 : (planes[0] - 16) / 219
            let cb = (planes[1] - 128) / (isFullRange ? 255 : 224)
            let cr = (planes[2] - 128) / (isFullRange ? 255 : 224)
            let red = y + 2 * (1 - weights.red) * cr
            let blue = y + 2 * (1 - weights.blue) * cb
            let green = (y - weights.red * red - weights.blue * blue) / (1 - weights.red - weights.blue)
            return [red, green, blue].map { 255 * min(1, max(0, $0)) }
        }
    }

    /// The mean brightness of a row of a frame, from 0 to 255.
    public func brightness(ofFrame frame: Int, row: Int) -> Double {
        let start = plane(0, ofFrame: frame).start + row * width
        return Double(bytes[start..<start + width].reduce(0) { $0 + Int($1) }) / Double(max(1, width))
    }

    /// The width and height of the bright area of a frame.
    public func brightArea(ofFrame frame: Int) -> (width: Int, height: Int) {
        let start = plane(0, ofFrame: frame).start
        var (left, right, top, bottom) = (width, -1, height, -1)
        for row in 0..<height {
            for column in 0..<width where bytes[start + row * width + column] > 128 {
                left = min(left, column)
                right = max(right, column)
                top = min(top, row)
                bottom = max(bottom, row)
            }
        }
        return (max(0, right - left + 1), max(0, bottom - top + 1))
    }

    /// The part of a frame's pixels that are much brighter, or much darker, than the lines above and below.
    public func combing(ofFrame frame: Int) -> Double {
        let start = plane(0, ofFrame: frame).start
        var combed = 0
        for row in 1..<max(1, height - 1) {
            for place in start + row * width..<start + (row + 1) * width {
                let above = Int(bytes[place]) - Int(bytes[place - width])
                let below = Int(bytes[place]) - Int(bytes[place + width])
                if min(above, below) > 60 || max(above, below) < -60 { combed += 1 }
            }
        }
        return Double(combed) / Double(max(1, width * height))
    }
}

extension Oracle {
    /// The PSNR in dB of each frame of a video against the frame of the source with the same index.
    public static func similarity(_ path: String, to source: String, rate: String) async throws -> [Double] {
        let graph = "[0:v]settb=1/\(rate),setpts=N[a];[1:v]settb=1/\(rate),setpts=N[b];[a][b]psnr=stats_file=-"
        let process = try ChildProcess(
            "ffmpeg",
            ["-v", "error", "-nostdin", "-i", path, "-i", source, "-filter_complex", graph, "-an", "-f", "null", "-"])
        let outcome = try await process.outcome()
        guard outcome.status == 0 else { throw Refused(command: process.command, reason: outcome.errors) }
        return outcome.text.split(separator: "\n").compactMap { line in
            guard let range = line.range(of: "psnr_avg:") else { return nil }
            return Double(line[range.upperBound...].prefix { !$0.isWhitespace })
        }
    }
}
