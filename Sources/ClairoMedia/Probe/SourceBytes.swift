internal import ClairoCore
internal import Libav

/// Adapts a `ByteSource` to libav's wrapper.
struct SourceBytes: InputBytes {
    private let source: any ByteSource
    init(_ source: any ByteSource) { self.source = source }
    var size: Int64 { source.size }
    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        try source.read(at: offset, into: buffer)
    }
}

extension Demuxer {
    /// Opens a decoder for a stream of a source. A failure is `badInput`.
    func openDecoder(stream index: Int, of source: String, threads: Int32 = 1) throws(ClairoError) -> Decoder {
        let stream = streams.first { $0.index == index }
        if let stream, Int64(stream.width) * Int64(stream.height) > maxPixels {
            throw .badMedia(
                "\(source): its frames have \(stream.width)x\(stream.height) pixels, more than the limit of \(maxPixels)",
                advice: "Raise the limit with --max-pixels if you trust the file.")
        }
        do {
            return try makeDecoder(stream: index, threads: threads)
        } catch {
            let codec = stream.map { "\($0.codecName) \($0.kind.rawValue)" } ?? "stream"
            throw .badMedia("\(source): its \(codec) cannot be decoded: \(error)")
        }
    }
}

extension Demuxer {
    /// Reads the next packet of any stream. Returns nil at the end, or if the rest cannot be read.
    func nextReadable(_ control: JobControl) throws -> Packet? {
        try control.checkCancellation()
        do {
            return try read()
        } catch let error as AVError {
            if error == .exitRequested { throw ClairoError.cancelled }
            return nil
        }
    }
}
