internal import ClairoCore
internal import Glibc

/// An MP4 whose media data reads as zeros and costs nothing: its index says all there is to know about packets but their
/// content, so a scan of a large file in a bucket reads its headers only.
struct IndexOnlySource: ByteSource {
    private let source: any ByteSource
    /// Where zeros are read, in order.
    private let payloads: [Range<Int64>]

    var size: Int64 { source.size }
    var etag: String? { source.etag }

    /// Nil for a container that is no MP4, and for one whose index is spread over fragments.
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
            // A payload that is cut short ends where the file does.
            let count = Int(min(Int64(buffer.count), min(payload.upperBound, size) - offset))
            guard count > 0, let start = buffer.baseAddress else { return 0 }
            memset(start, 0, count)
            return count
        }
        let count = Int(min(Int64(buffer.count), payload.lowerBound - offset))
        return try source.read(at: offset, into: UnsafeMutableRawBufferPointer(rebasing: buffer.prefix(count)))
    }
}
