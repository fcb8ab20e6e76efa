public import struct Foundation.Data

/// Bytes that can be read at any offset: a local file today, S3 ranges or a socket to the parent process later.
///
/// Calls block; they come from a dedicated thread and never from the cooperative pool.
public protocol ByteSource: Sendable {
    /// The length in bytes.
    var size: Int64 { get }

    /// What the store that the bytes come from calls this version of them; nil where there is no such name, and only reading
    /// tells whether two sources are the same.
    var etag: String? { get }

    /// Reads up to `buffer.count` bytes at `offset` and returns how many there were; 0 only at the end.
    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(ClairoError) -> Int

    /// A URL with which anybody may read these bytes for a while, without credentials; nil where there is no such URL.
    func presignedURL(expiresIn seconds: Int) throws(ClairoError) -> String?
}

extension ByteSource {
    public var etag: String? { nil }

    public func presignedURL(expiresIn seconds: Int) throws(ClairoError) -> String? { nil }

    /// Exactly `count` bytes at `offset`.
    /// - Throws: `inputOutput` (74) where the source ends before them: it has become shorter since it was opened.
    public func part(at offset: Int64, count: Int) throws(ClairoError) -> Data {
        var data = Data(count: count)
        var filled = 0
        while filled < count {
            let start = filled
            let result = data.withUnsafeMutableBytes { bytes in
                Result { () throws(ClairoError) in
                    try read(
                        at: offset + Int64(start), into: UnsafeMutableRawBufferPointer(rebasing: bytes.dropFirst(start))
                    )
                }
            }
            let count = try result.get()
            if count == 0 { throw .inputOutput("The source became shorter while it was read") }
            filled += count
        }
        return data
    }
}
