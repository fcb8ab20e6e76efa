/// Bytes that can be read at any offset: a local file today, S3 ranges or a socket to the parent process later.
///
/// Calls block; they come from a dedicated thread and never from the cooperative pool.
public protocol ByteSource: Sendable {
    /// The length in bytes.
    var size: Int64 { get }

    /// Reads up to `buffer.count` bytes at `offset` and returns how many there were; 0 only at the end.
    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(ClairoError) -> Int
}
