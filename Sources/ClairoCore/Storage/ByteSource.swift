public import struct Foundation.Data

/// Random access to bytes: a local file, S3 ranges, or a socket to the parent process.
///
/// Calls block. Use a dedicated thread, never the cooperative pool.
public protocol ByteSource: Sendable {
    /// The length in bytes.
    var size: Int64 { get }

    /// The store's version of the bytes, or nil if only their content identifies them.
    var etag: String? { get }

    /// Reads up to `buffer.count` bytes at `offset` and returns their number. Returns 0 only at the end.
    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(ClairoError) -> Int

    /// A URL with which anyone can read these bytes for a limited time, without credentials; nil if unsupported.
    func presignedURL(expiresIn seconds: Int) throws(ClairoError) -> String?
}

extension ByteSource {
    /// No ETag.
    public var etag: String? { nil }

    public func presignedURL(expiresIn seconds: Int) throws(ClairoError) -> String? { nil }

    /// Reads exactly `count` bytes at `offset`.
    /// - Throws: `inputOutput` (74) if the source ends earlier, because it has shrunk since it was opened.
    public func part(at offset: Int64, count: Int) throws(ClairoError) -> Data {
        let data = try part(at: offset, atMost: count)
        guard data.count == count else { throw .inputOutput("The source became shorter while it was being read") }
        return data
    }

    /// Reads `most` bytes at `offset`, or fewer at the end of the source.
    public func part(at offset: Int64, atMost most: Int) throws(ClairoError) -> Data {
        var data = Data(count: most)
        var filled = 0
        while filled < most {
            let start = filled
            let result = data.withUnsafeMutableBytes { bytes in
                Result { () throws(ClairoError) in
                    try read(
                        at: offset + Int64(start), into: UnsafeMutableRawBufferPointer(rebasing: bytes.dropFirst(start))
                    )
                }
            }
            let taken = try result.get()
            if taken == 0 { break }
            filled += taken
        }
        return data.prefix(filled)
    }
}
