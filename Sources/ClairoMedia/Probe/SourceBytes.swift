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

/// A range of the bytes of a source.
struct SourceRange: ByteSource {
    private let source: any ByteSource
    private let range: Range<Int64>
    var size: Int64 { range.upperBound - range.lowerBound }
    var etag: String? { source.etag }

    init(_ source: any ByteSource, _ range: Range<Int64>) {
        self.source = source
        self.range = range
    }

    /// The bytes from one of the ascending `offsets` to the next.
    init(_ source: any ByteSource, file: Int, of offsets: [Int64]) {
        let end = file + 1 < offsets.count ? offsets[file + 1] : source.size
        self.init(source, offsets[file]..<max(offsets[file], end))
    }

    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(ClairoError) -> Int {
        let count = Int(min(Int64(buffer.count), max(0, size - offset)))
        guard count > 0 else { return 0 }
        return try source.read(
            at: range.lowerBound + offset, into: UnsafeMutableRawBufferPointer(rebasing: buffer.prefix(count)))
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
            return try open(SourceRange(source, 0..<whole))
        }
    }

    /// Opens a decoder for a stream of a source. A failure is `badInput`.
    /// - Parameters:
    ///   - named: The decoder if it is not libav's default for the codec.
    ///   - timeBase: The time base of the packets if it is not the stream's.
    func openDecoder(
        stream index: Int, of source: String, threads: Int32 = 1, named: String? = nil, timeBase: Ratio? = nil
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
            return try makeDecoder(stream: index, threads: threads, named: named, timeBase: timeBase)
        } catch {
            let codec = stream.map { "\($0.codecName) \($0.kind.rawValue)" } ?? "stream"
            throw .badMedia("\(source): its \(codec) cannot be decoded: \(error)")
        }
    }
}
