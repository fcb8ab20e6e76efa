internal import ClairoCore
internal import Glibc

/// An MP4 source that returns zeros for media data without reading it. The index describes everything about packets
/// except their content, so scanning a large file in a bucket reads only its headers.
struct IndexOnlySource: ByteSource {
    private let source: any ByteSource
    /// The ranges that read as zeros, in order.
    private let payloads: [Range<Int64>]

    var size: Int64 { source.size }
    var etag: String? { source.etag }

    /// Returns nil for a container other than MP4 and for a fragmented MP4.
    init?(_ source: any ByteSource, format: String) throws(ClairoError) {
        guard let payloads = try ContainerExtent.payloads(in: source, format: format) else { return nil }
        self.source = source
        self.payloads = payloads
    }

    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(ClairoError) -> Int {
        guard let payload = payloads.first(where: { $0.upperBound > offset }) else {
            return try source.read(at: offset, into: buffer)
        }
        if payload.contains(offset) {
            // A truncated payload ends with the file.
            let count = Int(min(Int64(buffer.count), min(payload.upperBound, size) - offset))
            guard count > 0, let start = buffer.baseAddress else { return 0 }
            memset(start, 0, count)
            return count
        }
        let count = Int(min(Int64(buffer.count), payload.lowerBound - offset))
        return try source.read(at: offset, into: UnsafeMutableRawBufferPointer(rebasing: buffer.prefix(count)))
    }
}
