internal import ClairoCore
internal import Foundation
internal import Libav

/// Makes `poster.jpg` from a key frame of the finished top rung.
struct Poster {
    /// A larger poster has no benefit on a web page.
    private static let maxWidth = 1280

    let plan: Plan
    let video: VideoPlan
    let store: any ObjectStore

    /// Chooses the first key frame after a tenth of the video that is neither nearly black nor of one colour, or else
    /// the brightest one.
    func make() throws -> Data? {
        guard let rung = video.rungs.first else { return nil }
        let grid = video.grid
        var best: (frame: Frame, spread: Double)?
        for share in [0.1, 0.25, 0.5, 0.75, 0.0] {
            let index = Int(Double(max(grid.frameCount - 1, 0)) * share)
            guard let frame = try keyFrame(of: rung, segment: grid.segment(ofFrame: index)) else { continue }
            let spread = spread(of: frame)
            if best.map({ spread > $0.spread }) ?? true { best = (frame, spread) }
            if spread > 20 { break }
        }
        return try best.map { try jpeg($0.frame) }
    }

    private func keyFrame(of rung: Rung, segment: Int) throws -> Frame? {
        let bytes = InMemoryBytes(try store.get(rung.initKey) + store.get(rung.segmentKey(segment)))
        let demuxer = try Demuxer(bytes, options: InputLimits().demuxerOptions)
        let decoder = try demuxer.makeDecoder(stream: 0)
        while let packet = try demuxer.read() {
            try decoder.send(packet)
            if case .value(let frame) = try decoder.receive() { return frame }
        }
        try decoder.send(nil)
        if case .value(let frame) = try decoder.receive() { return frame }
        return nil
    }

    /// The standard deviation of the luma: near zero for black, white and plain colours.
    private func spread(of frame: Frame) -> Double {
        var sum = 0.0
        var squares = 0.0
        var count = 0.0
        for row in stride(from: 0, to: frame.height, by: 8) {
            _ = frame.withRow(plane: 0, row: row, width: frame.width) { pixels in
                for column in stride(from: 0, to: pixels.count, by: 8) {
                    let value = Double(pixels[column])
                    sum += value
                    squares += value * value
                    count += 1
                }
            }
        }
        guard count > 0 else { return 0 }
        return max(0, squares / count - (sum / count) * (sum / count)).squareRoot()
    }

    /// Converts to the colour of JPEG: the BT.601 matrix in full range, and nearly always the primaries of BT.709.
    static func filters(color declared: ColorDescription, rung: FrameSize, poster: FrameSize) -> String {
        // If a stream declares no matrix, players choose one by its size.
        var color = OutputColor.resolve(declared, size: rung, isRGB: false)
        var filters = "[in]"
        if color.primaries == 9, color.matrix == 9 {
            filters +=
                "setparams=color_primaries=9:color_trc=14:colorspace=9,"
                + "zscale=rin=limited:tin=14:pin=9:min=9:t=1:p=1:m=1:r=limited,format=yuv420p,"
            color = OutputColor.bt709
        }
        let matrix = OutputColor.scalerMatrix(color.matrix) ?? "smpte170m"
        let flags = matrix == "smpte170m" ? "bicubic" : "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
        return filters + "scale=w=\(poster.width):h=\(poster.height):flags=\(flags):in_range=tv:out_range=pc"
            + ":in_color_matrix=\(matrix):out_color_matrix=smpte170m,format=yuvj420p[out0]"
    }

    private func jpeg(_ frame: Frame) throws -> Data {
        let width = min(frame.width, Self.maxWidth)
        let height = max(2, frame.height * width / frame.width / 2 * 2)
        let graph = try FilterGraph(
            video: Self.filters(
                color: ColorDescription(
                    primaries: Int(frame.colorPrimaries), transfer: Int(frame.colorTransfer),
                    matrix: Int(frame.colorMatrix), isFullRange: false),
                rung: video.rungs.first?.size ?? FrameSize(width: frame.width, height: frame.height),
                poster: FrameSize(width: width, height: height)),
            like: frame, timeBase: Ratio(1, 25), outputs: 1)
        try graph.push(frame)
        try graph.push(nil)
        guard case .value(let scaled) = try graph.pull() else { throw ClairoError.defect("The poster was not scaled") }
        let encoder = try Encoder(
            video: VideoEncoderSettings(
                encoder: "mjpeg", width: width, height: height, frameRate: Ratio(25, 1),
                options: [("qmin", "2"), ("qmax", "4")], isFullRange: true),
            first: scaled)
        try encoder.send(scaled)
        try encoder.send(nil)
        guard case .value(let packet) = try encoder.receive() else {
            throw ClairoError.defect("The poster was not encoded")
        }
        return packet.data
    }
}

/// Lets a demuxer read from memory.
struct InMemoryBytes: InputBytes {
    private let data: Data
    init(_ data: Data) { self.data = data }
    var size: Int64 { Int64(data.count) }
    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        guard offset >= 0, offset < Int64(data.count) else { return 0 }
        let count = min(buffer.count, data.count - Int(offset))
        let start = data.startIndex + Int(offset)
        return data[start..<start + count].copyBytes(to: buffer)
    }
}
