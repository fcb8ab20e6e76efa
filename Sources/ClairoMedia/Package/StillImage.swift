internal import ClairoCore
internal import Foundation
internal import Libav

/// Converts frames of a rung in SDR to still pictures, and reads such pictures back.
enum StillImage {
    /// The format of a picture. The raw value is libav's name of its encoder.
    enum Format: String {
        case jpeg = "mjpeg"
        case webP = "libwebp"

        /// Both store YCbCr with the BT.601 matrix: JPEG in full range (JFIF), WebP in limited range (RFC 9649, 2.5).
        fileprivate var conversion: String {
            switch self {
            case .jpeg: "out_range=pc:out_color_matrix=smpte170m,format=yuvj420p"
            case .webP: "out_range=tv:out_color_matrix=smpte170m,format=yuv420p"
            }
        }

        /// Whether this libav can encode it.
        var isAvailable: Bool { Encoder.exists(rawValue) }
    }

    /// Filters that scale frames to a size and convert them to the colour of a format, nearly always with the primaries
    /// of BT.709.
    /// - Parameter frame: One of the frames, for their colour and size.
    static func filters(for frame: Frame, size: FrameSize, format: Format) -> String {
        let declared = ColorDescription(
            primaries: Int(frame.colorPrimaries), transfer: Int(frame.colorTransfer), matrix: Int(frame.colorMatrix),
            isFullRange: false)
        // If a stream declares no matrix, players choose one by its size.
        var color = OutputColor.resolve(
            declared, size: FrameSize(width: frame.width, height: frame.height), isRGB: false)
        var filters = ""
        if color.primaries == 9, color.matrix == 9 {
            filters +=
                "setparams=color_primaries=9:color_trc=14:colorspace=9,"
                + "zscale=rin=limited:tin=14:pin=9:min=9:t=1:p=1:m=1:r=limited,format=yuv420p,"
            color = OutputColor.bt709
        }
        let matrix = OutputColor.scalerMatrix(color.matrix) ?? "smpte170m"
        let flags = matrix == "smpte170m" ? "bicubic" : "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
        return filters + "scale=w=\(size.width):h=\(size.height):flags=\(flags):in_range=tv"
            + ":in_color_matrix=\(matrix):\(format.conversion)"
    }

    /// Scales and converts one frame.
    static func convert(_ frame: Frame, size: FrameSize, format: Format) throws -> Frame {
        let graph = try FilterGraph(
            video: "[in]\(filters(for: frame, size: size, format: format))[out0]", like: frame,
            timeBase: Ratio(1, 25), outputs: 1)
        try graph.push(frame)
        try graph.push(nil)
        guard case .value(let converted) = try graph.pull() else {
            throw ClairoError.defect("A picture was not scaled")
        }
        return converted
    }

    /// Encodes a converted frame.
    /// - Parameter options: Options of libav's encoder that determine the quality.
    static func encode(_ frame: Frame, _ format: Format, options: [(String, String)]) throws -> Data {
        let encoder = try Encoder(
            video: VideoEncoderSettings(
                encoder: format.rawValue, width: frame.width, height: frame.height, frameRate: Ratio(25, 1),
                options: options, isFullRange: format == .jpeg),
            first: frame)
        try encoder.send(frame)
        try encoder.send(nil)
        guard case .value(let packet) = try encoder.receive() else {
            throw ClairoError.defect("A picture was not encoded")
        }
        return packet.data
    }

    /// Decodes a whole picture; nil if the data is no intact picture of the format.
    static func decode(_ data: Data, _ format: Format) throws -> Frame? {
        guard isWhole(data, format) else { return nil }
        let options = DemuxerOptions(formatWhitelist: "jpeg_pipe,webp_pipe", codecWhitelist: "mjpeg,webp")
        do {
            let demuxer = try Demuxer(InMemoryBytes(data), options: options)
            let decoder = try demuxer.makeDecoder(stream: 0)
            var result: Frame?
            func take() throws {
                while case .value(let frame) = try decoder.receive() { result = result ?? frame }
            }
            while let packet = try demuxer.read() {
                try decoder.send(packet)
                try take()
            }
            try decoder.send(nil)
            try take()
            return decoder.errorCount == 0 ? result : nil
        } catch let error as AVError where error != .outOfMemory {
            return nil
        }
    }

    /// Whether the data has the beginning and the end of a picture. Decoders fill in what is missing at the end.
    private static func isWhole(_ data: Data, _ format: Format) -> Bool {
        switch format {
        // ITU-T T.81, table B.1: SOI and EOI.
        case .jpeg: return data.starts(with: [0xFF, 0xD8]) && data.suffix(2).elementsEqual([0xFF, 0xD9])
        // RFC 9649, 2.4: the size of the file is in its header.
        case .webP:
            guard data.count > 12, data.starts(with: Data("RIFF".utf8)) else { return false }
            let size = data.dropFirst(4).prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
            return size + 8 == data.count
        }
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
