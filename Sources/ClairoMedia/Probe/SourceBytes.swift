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

/// The first bytes of a source.
private struct PrefixSource: ByteSource {
    private let source: any ByteSource
    let size: Int64
    var etag: String? { source.etag }

    init(_ source: any ByteSource, size: Int64) {
        self.source = source
        self.size = size
    }

    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(ClairoError) -> Int {
        let count = Int(min(Int64(buffer.count), max(0, size - offset)))
        guard count > 0 else { return 0 }
        return try source.read(at: offset, into: UnsafeMutableRawBufferPointer(rebasing: buffer.prefix(count)))
    }
}

extension Demuxer {
    /// Opens a source within the limits.
    /// - Parameter analyzes: False if the header alone is enough.
    static func open(
        _ source: any ByteSource, limits: InputLimits, interrupt: Interrupt, analyzes: Bool = true
    ) throws -> Demuxer {
        func open(_ source: any ByteSource) throws -> Demuxer {
            try Demuxer(
                SourceBytes(source), options: limits.demuxerOptions, interrupt: interrupt, analyzes: analyzes)
        }
        do {
            return try open(source)
        } catch let error as AVError where error == .invalidData {
            // libav refuses an MP4 whose last fragment has an incomplete header.
            guard let whole = try ContainerExtent.wholeFragments(source) else { throw error }
            return try open(PrefixSource(source, size: whole))
        }
    }

    /// Opens a decoder for a stream of a source. A failure is `badInput`.
    /// - Parameter named: The decoder if it is not libav's default for the codec.
    func openDecoder(
        stream index: Int, of source: String, threads: Int32 = 1, named: String? = nil
    ) throws(ClairoError) -> Decoder {
        // A stream may have begun after the container was opened.
        if !streams.contains(where: { $0.index == index }) { refreshStreams() }
        let stream = streams.first { $0.index == index }
        if let stream, Int64(stream.width) * Int64(stream.height) > maxPixels {
            throw .badMedia(
                "\(source): its frames have \(stream.width)x\(stream.height) pixels, more than the limit of \(maxPixels)",
                advice: "Raise the limit with --max-pixels if you trust the file.")
        }
        do {
            return try makeDecoder(stream: index, threads: threads, named: named)
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
