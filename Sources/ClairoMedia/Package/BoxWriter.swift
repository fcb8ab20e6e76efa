internal import Foundation

/// Writes boxes of the ISO base media file format (ISO/IEC 14496-12) to a buffer. A box gets its size when it is
/// closed.
struct BoxWriter {
    private(set) var data: Data

    /// - Parameter capacity: The expected number of bytes. A good estimate avoids copies while a large buffer grows.
    init(capacity: Int = 0) { data = Data(capacity: capacity) }

    mutating func box(_ type: String, _ body: (inout BoxWriter) -> Void) {
        let start = data.count
        u32(0)
        data.append(contentsOf: type.utf8)
        body(&self)
        patch(UInt32(data.count - start), at: start)
    }

    /// Writes a box with a version and flags.
    mutating func fullBox(_ type: String, version: UInt8 = 0, flags: UInt32 = 0, _ body: (inout BoxWriter) -> Void) {
        box(type) { writer in
            writer.u32(UInt32(version) << 24 | flags)
            body(&writer)
        }
    }

    mutating func u8(_ value: UInt8) { data.append(value) }
    mutating func u16(_ value: UInt16) { withUnsafeBytes(of: value.bigEndian) { data.append(contentsOf: $0) } }
    mutating func u32(_ value: UInt32) { withUnsafeBytes(of: value.bigEndian) { data.append(contentsOf: $0) } }
    mutating func u64(_ value: UInt64) { withUnsafeBytes(of: value.bigEndian) { data.append(contentsOf: $0) } }
    mutating func i32(_ value: Int32) { u32(UInt32(bitPattern: value)) }
    mutating func bytes(_ bytes: some Sequence<UInt8>) { data.append(contentsOf: bytes) }
    mutating func zeros(_ count: Int) { data.append(contentsOf: repeatElement(0, count: count)) }
    mutating func text(_ text: String) { data.append(contentsOf: text.utf8) }

    /// Overwrites four bytes, for values that become known later.
    mutating func patch(_ value: UInt32, at offset: Int) {
        withUnsafeBytes(of: value.bigEndian) { data.replaceSubrange(offset..<offset + 4, with: $0) }
    }

    var count: Int { data.count }
}
