internal import ClairoCore
internal import Foundation
internal import Glibc
internal import Synchronization

/// A source that notes where FLV files begin in the bytes that are read from it. libav takes the header of a second
/// file for damage.
final class FLVHeaders: ByteSource {
    private struct State {
        var offsets: Set<Int64> = []
        /// The end of the bytes that were read without a gap, and the last of them.
        var end: Int64 = 0
        var tail = Data()
    }

    /// The bytes of a header that are always the same, around the byte that tells whether there is audio and video; and
    /// the size of the tag before the first one.
    private static let start: [UInt8] = [0x46, 0x4C, 0x56, 0x01]
    private static let rest: [UInt8] = [0, 0, 0, 9, 0, 0, 0, 0]
    private static let length = 13

    private let base: any ByteSource
    private let state = Mutex(State())

    var size: Int64 { base.size }
    var etag: String? { base.etag }

    init(_ base: any ByteSource) { self.base = base }

    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(ClairoError) -> Int {
        let count = try base.read(at: offset, into: buffer)
        let bytes = UnsafeRawBufferPointer(rebasing: buffer.prefix(count))
        state.withLock { Self.take(bytes, at: offset, &$0) }
        return count
    }

    /// The first bytes of all files in the source. Reads what was not read yet.
    func files() throws(ClairoError) -> [Int64] {
        while true {
            let end = state.withLock { $0.end }
            guard end < size, try !part(at: end, atMost: 1 << 20).isEmpty else { break }
        }
        return state.withLock { [0] + $0.offsets.filter { $0 > 0 }.sorted().prefix(ContainerExtent.mostFiles - 1) }
    }

    private static func take(_ bytes: UnsafeRawBufferPointer, at offset: Int64, _ state: inout State) {
        // The container is read in order, except for a look at its end and for seeks back.
        guard offset <= state.end, offset + Int64(bytes.count) > state.end else { return }
        let new = UnsafeRawBufferPointer(rebasing: bytes.dropFirst(Int(state.end - offset)))
        // A header may lie across the end of the bytes before.
        let edge = state.tail + new.prefix(length - 1)
        edge.withUnsafeBytes { find(in: $0, at: state.end - Int64(state.tail.count), &state.offsets) }
        find(in: new, at: state.end, &state.offsets)
        state.end = offset + Int64(bytes.count)
        let last = UnsafeRawBufferPointer(rebasing: new[max(0, new.count - length + 1)...])
        state.tail = Data((state.tail + last).suffix(length - 1))
    }

    /// Adds the offsets of the headers in these bytes, which begin at `begin`. Does not copy them: they are all bytes of
    /// the source.
    private static func find(in bytes: UnsafeRawBufferPointer, at begin: Int64, _ offsets: inout Set<Int64>) {
        let (first, second) = (start[0], start[1])
        var position = 0
        while bytes.count - position >= length, let address = bytes.baseAddress,
            let found = memchr(address + position, Int32(first), bytes.count - position - length + 1)
        {
            position = UnsafeRawPointer(found) - address
            let header = bytes[position...]
            if bytes[position + 1] == second, header.starts(with: start),
                header.dropFirst(start.count + 1).starts(with: rest)
            {
                offsets.insert(begin + Int64(position))
            }
            position += 1
        }
    }
}
