internal import Foundation

/// Reads fields of single bits, as the headers of HEVC and AV1 consist of. Nil at the end, never a trap: the bytes may
/// be damaged.
struct BitReader {
    private let bytes: [UInt8]
    /// The number of bits read.
    private(set) var position = 0

    init(_ data: Data) { bytes = Array(data) }

    /// Reads an unsigned number of up to 32 bits.
    mutating func bits(_ count: Int) -> Int? {
        guard count <= 32, position + count <= bytes.count * 8 else { return nil }
        var value = 0
        for _ in 0..<count {
            value = value << 1 | Int(bytes[position / 8] >> (7 - position % 8) & 1)
            position += 1
        }
        return value
    }

    mutating func flag() -> Bool? { bits(1).map { $0 == 1 } }

    /// Skips bits.
    /// - Returns: False if there are fewer.
    mutating func skip(_ count: Int) -> Bool {
        guard count >= 0, position + count <= bytes.count * 8 else { return false }
        position += count
        return true
    }

    /// Reads an unsigned Exp-Golomb code, `ue(v)` of H.264 and HEVC.
    mutating func exponential() -> Int? {
        var zeros = 0
        while let bit = bits(1) {
            guard bit == 0 else { return bits(zeros).map { (1 << zeros) - 1 + $0 } }
            zeros += 1
            guard zeros <= 32 else { return nil }
        }
        return nil
    }
}
