internal import ClairoCore
internal import Foundation

/// Reads the fields of slice and frame headers to find where they end, because only what follows is encrypted.
///
/// It skips the bytes that keep start codes out of NAL units (H.264, 7.4.1) as it meets them, so positions are those in
/// the unit. It never reads past the end.
struct ProtectionReader {
    private let bytes: Data
    private let skipsEmulation: Bool
    /// The index of the current byte and the bits of it that were read.
    private var index: Int
    private var bit = 0
    private var zeros = 0

    init(_ bytes: Data, skipsEmulation: Bool) {
        self.bytes = bytes
        self.skipsEmulation = skipsEmulation
        index = bytes.startIndex
    }

    /// The number of bytes that were read, the last of them perhaps in part.
    var byteCount: Int { index - bytes.startIndex + (bit > 0 ? 1 : 0) }

    mutating func flag() throws(ClairoError) -> Bool {
        if bit == 0, skipsEmulation, zeros >= 2, index < bytes.endIndex, bytes[index] == 3 {
            index += 1
            zeros = 0
        }
        guard index < bytes.endIndex else { throw Self.unreadable("it ends early") }
        let value = bytes[index] >> (7 - UInt8(bit)) & 1 == 1
        bit += 1
        if bit == 8 {
            zeros = bytes[index] == 0 ? zeros + 1 : 0
            bit = 0
            index += 1
        }
        return value
    }

    /// An unsigned number.
    @discardableResult
    mutating func bits(_ count: Int) throws(ClairoError) -> Int {
        var value = 0
        for _ in 0..<count { value = value << 1 | (try flag() ? 1 : 0) }
        return value
    }

    /// `ue(v)`.
    @discardableResult
    mutating func unsigned() throws(ClairoError) -> Int {
        var zeros = 0
        while try !flag() {
            zeros += 1
            guard zeros <= 32 else { throw Self.unreadable("a number is too long") }
        }
        return (1 << zeros) - 1 + (try bits(zeros))
    }

    /// `ue(v)` that counts something.
    mutating func count(upTo most: Int) throws(ClairoError) -> Int {
        let count = try unsigned()
        guard count <= most else { throw Self.unreadable("it has \(count) of something, at most \(most) are allowed") }
        return count
    }

    /// `se(v)`.
    @discardableResult
    mutating func signed() throws(ClairoError) -> Int {
        let code = try unsigned()
        return code % 2 == 1 ? (code + 1) / 2 : -code / 2
    }

    /// Skips to the next byte.
    mutating func align() throws(ClairoError) { while bit != 0 { _ = try flag() } }

    static func unreadable(_ what: String) -> ClairoError {
        .badMedia(
            "A picture cannot be encrypted, because its header cannot be read: \(what)",
            advice: "Transcode without --copy-compatible, or without --encrypt.")
    }
}
