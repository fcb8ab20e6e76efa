internal import Foundation
internal import Synchronization

/// One file of all segments (`media.mp4`), decrypted as it is read, one segment in memory at a time.
///
/// The boxes up to the index (`sidx`) are not encrypted. The index says where the segments are, and each can be decrypted
/// by itself.
final class DecryptedFile: ByteSource {
    /// The index of 65535 segments has less than a megabyte, and so have the boxes before it.
    private static let largestBox: Int64 = 1 << 20
    /// The boxes up to the index: `ftyp`, `moov`, `sidx`.
    private static let mostBoxes = 3

    private let base: any ByteSource
    private let decrypt: @Sendable (Data) throws(ClairoError) -> Data
    /// Where the segments begin, and the end of the last.
    private let bounds: [Int64]
    /// The segment that was read last.
    private let last = Mutex<(index: Int, data: Data)?>(nil)

    /// - Parameter decrypt: Decrypts whole fragments.
    /// - Throws: `defect` if the file has no index that describes all of it.
    init(_ base: any ByteSource, decrypt: @escaping @Sendable (Data) throws(ClairoError) -> Data) throws(ClairoError) {
        self.base = base
        self.decrypt = decrypt
        bounds = try Self.segmentBounds(of: base)
    }

    var size: Int64 { base.size }

    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(ClairoError) -> Int {
        guard offset >= 0, offset < size, !buffer.isEmpty else { return 0 }
        guard let next = bounds.firstIndex(where: { $0 > offset }), next > 0 else {
            let count = min(Int(bounds[0] - offset), buffer.count)
            return try base.read(at: offset, into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]))
        }
        let data = try segment(next - 1)
        return data.dropFirst(Int(offset - bounds[next - 1])).prefix(buffer.count).copyBytes(to: buffer)
    }

    private func segment(_ index: Int) throws(ClairoError) -> Data {
        if let last = last.withLock({ $0 }), last.index == index { return last.data }
        let stored = try base.part(at: bounds[index], count: Int(bounds[index + 1] - bounds[index]))
        let data = try decrypt(stored)
        last.withLock { $0 = (index, data) }
        return data
    }

    /// Reads the index (ISO/IEC 14496-12, 8.16.3).
    private static func segmentBounds(of file: any ByteSource) throws(ClairoError) -> [Int64] {
        var offset: Int64 = 0
        for _ in 0..<mostBoxes {
            guard file.size - offset >= 8 else { break }
            let header = try file.part(at: offset, count: 8)
            let length = header.prefix(4).reduce(Int64(0)) { $0 << 8 | Int64($1) }
            guard (8...largestBox).contains(length), length <= file.size - offset else { break }
            offset += length
            guard header.suffix(4) == Data("sidx".utf8) else { continue }
            let sizes = try segmentSizes([UInt8](file.part(at: offset - length, count: Int(length))))
            var bounds = [offset]
            for size in sizes { bounds.append(bounds[bounds.count - 1] + size) }
            guard bounds.last == file.size else { throw BoxCursor.damaged("its index describes another size") }
            return bounds
        }
        throw BoxCursor.damaged("it has no index")
    }

    private static func segmentSizes(_ index: [UInt8]) throws(ClairoError) -> [Int64] {
        var top = BoxCursor(index, 0..<index.count)
        var (_, box) = try top.box()
        let version = try box.integer(1)
        // Flags, the id and the timescale, the first time and the distance to the first segment, and a reserved field.
        _ = try box.skip(3 + 8 + (version == 0 ? 8 : 16) + 2)
        let count = try box.integer(2)
        guard box.remaining == count * 12 else { throw BoxCursor.damaged("the length of its index") }
        var sizes: [Int64] = []
        for _ in 0..<count {
            let size = try box.integer(4)
            guard size > 0, size < 1 << 31 else { throw BoxCursor.damaged("its index refers to another index") }
            sizes.append(Int64(size))
            _ = try box.skip(8)
        }
        return sizes
    }
}
