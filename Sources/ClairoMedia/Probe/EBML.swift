internal import ClairoCore
internal import Foundation

/// Reads elements of EBML (RFC 8794), the format of Matroska.
enum EBML {
    /// The head of an element.
    struct Header: Hashable {
        /// The ID with its length marker, as in RFC 9559.
        var id: UInt32
        /// The size of the content in bytes; nil if unknown, as in live streams.
        var size: Int64?
        /// The number of bytes of the head.
        var length: Int
    }

    /// The longest head: an ID of 4 bytes and a size of 8.
    static let longestHeader = 12

    /// The head of the element at a position; nil if it is invalid or incomplete.
    static func header(in bytes: [UInt8], at position: Int) -> Header? {
        guard let id = number(in: bytes, at: position, longest: 4, keepsMarker: true),
            let size = number(in: bytes, at: position + id.length, longest: 8, keepsMarker: false)
        else { return nil }
        return Header(
            id: UInt32(clamping: id.value), size: size.isUnknown ? nil : size.value, length: id.length + size.length)
    }

    /// The head of the element at an offset of a source; nil if it is invalid or at the end.
    static func header(in source: any ByteSource, at offset: Int64) throws(ClairoError) -> Header? {
        guard offset >= 0, offset < source.size else { return nil }
        let count = Int(min(Int64(longestHeader), source.size - offset))
        return header(in: [UInt8](try source.part(at: offset, count: count)), at: 0)
    }

    /// The elements in a range, up to the first that is invalid or extends beyond it.
    /// - Parameter limit: The maximum number of elements.
    static func elements(of bytes: [UInt8], in range: Range<Int>, limit: Int) -> [(id: UInt32, content: Range<Int>)] {
        var found: [(id: UInt32, content: Range<Int>)] = []
        var position = range.lowerBound
        while position < range.upperBound, found.count < limit, let header = header(in: bytes, at: position) {
            let start = position + header.length
            guard let size = header.size, start <= range.upperBound, size <= Int64(range.upperBound - start) else {
                break
            }
            position = start + Int(size)
            found.append((header.id, start..<position))
        }
        return found
    }

    /// An unsigned integer of up to 8 bytes, limited to the largest `Int64`.
    static func unsigned(_ bytes: some Collection<UInt8>) -> Int64? {
        guard bytes.count <= 8 else { return nil }
        return Int64(bigEndianBytes: bytes)
    }

    private static func number(
        in bytes: [UInt8], at position: Int, longest: Int, keepsMarker: Bool
    ) -> (value: Int64, length: Int, isUnknown: Bool)? {
        guard bytes.indices.contains(position), bytes[position] != 0 else { return nil }
        let length = bytes[position].leadingZeroBitCount + 1
        guard length <= longest, position + length <= bytes.count else { return nil }
        let mask = UInt8((UInt16(1) << UInt16(8 - length)) - 1)
        var value = Int64(keepsMarker ? bytes[position] : bytes[position] & mask)
        var isUnknown = bytes[position] & mask == mask
        for byte in bytes[position + 1..<position + length] {
            value = value << 8 | Int64(byte)
            isUnknown = isUnknown && byte == 0xFF
        }
        return (value, length, isUnknown)
    }
}
