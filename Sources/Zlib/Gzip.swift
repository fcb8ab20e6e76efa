internal import CZlib
public import Foundation

/// The gzip format (RFC 1952), for whole small files.
public enum Gzip {
    /// Why bytes cannot be decompressed.
    public enum DecodingError: Error, Hashable {
        /// They are not a complete gzip file, or their checksum is wrong.
        case damaged
        /// They decompress to more bytes than the limit.
        case tooLarge
    }

    /// Whether bytes begin like a gzip file.
    public static func isGzip(_ data: Data) -> Bool { data.starts(with: [0x1F, 0x8B]) }

    /// Compresses bytes. The same bytes always have the same result, which contains no name and no time.
    public static func compress(_ data: Data) -> Data {
        withStream { stream in
            guard clairo_zlib_start_gzip(stream) == Z_OK else { preconditionFailure("zlib cannot allocate memory") }
            defer { deflateEnd(stream) }
            // One call suffices if the output has this size (zlib.h, deflateBound).
            var output = Data(count: Int(deflateBound(stream, uLong(data.count))))
            let result = run(stream, data, into: &output) { deflate(stream, Z_FINISH) }
            guard result == Z_STREAM_END else { preconditionFailure("zlib cannot compress: \(result)") }
            return Data(output.prefix(Int(stream.pointee.total_out)))
        }
    }

    /// Decompresses a file.
    /// - Parameter limit: The maximum size of the result in bytes. It bounds memory if the bytes are untrusted.
    public static func decompress(_ data: Data, limit: Int) throws(DecodingError) -> Data {
        var size = min(limit, max(4096, 8 * data.count))
        while true {
            if let output = try decompress(data, into: size) { return output }
            guard size < limit else { throw .tooLarge }
            size = min(limit, size * 4)
        }
    }

    /// - Returns: Nil if the result has more than `size` bytes.
    private static func decompress(_ data: Data, into size: Int) throws(DecodingError) -> Data? {
        let result: Result<Data?, DecodingError> = withStream { stream in
            guard clairo_zlib_start_gunzip(stream) == Z_OK else { preconditionFailure("zlib cannot allocate memory") }
            defer { inflateEnd(stream) }
            var output = Data(count: size)
            switch run(stream, data, into: &output, { inflate(stream, Z_FINISH) }) {
            case Z_STREAM_END where stream.pointee.avail_in == 0:
                return .success(Data(output.prefix(Int(stream.pointee.total_out))))
            case Z_BUF_ERROR where stream.pointee.avail_out == 0: return .success(nil)
            // Also if the input ends early.
            default: return .failure(.damaged)
            }
        }
        return try result.get()
    }

    /// zlib requires that the stream keeps its address.
    private static func withStream<R>(_ body: (UnsafeMutablePointer<z_stream>) -> R) -> R {
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        stream.initialize(to: z_stream())
        defer { stream.deallocate() }
        return body(stream)
    }

    /// Makes one call over the whole input and output.
    private static func run(
        _ stream: UnsafeMutablePointer<z_stream>, _ input: Data, into output: inout Data, _ call: () -> CInt
    ) -> CInt {
        input.withUnsafeBytes { input in
            output.withUnsafeMutableBytes { output in
                // zlib only reads the input, but its type lacks `const`.
                stream.pointee.next_in = UnsafeMutablePointer(
                    mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
                stream.pointee.avail_in = UInt32(input.count)
                stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
                stream.pointee.avail_out = UInt32(output.count)
                return call()
            }
        }
    }
}
