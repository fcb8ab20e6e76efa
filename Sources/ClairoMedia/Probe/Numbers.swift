internal import ClairoCore
internal import Foundation
internal import Libav

/// Formats a time as `h:mm:ss.mmm` without leading zeros, for messages.
func clock(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds >= 0, seconds < 1e9 else { return "no time" }
    if seconds < 60 { return String(format: "%.2f s", seconds) }
    let whole = Int(seconds)
    return whole < 3600
        ? String(format: "%d:%05.2f min", whole / 60, seconds - Double(whole / 60 * 60))
        : String(format: "%d:%02d:%02d h", whole / 3600, whole / 60 % 60, whole % 60)
}

extension Rational {
    init(_ ratio: Ratio) { self.init(Int64(ratio.num), Int64(ratio.den)) }
}

extension Ratio {
    init(_ rational: Rational) { self.init(Int32(clamping: rational.num), Int32(clamping: rational.den)) }
}

extension Int64 {
    /// The unsigned integer in the bytes, limited to the largest value of the type. Of more than eight bytes the last
    /// eight count.
    init(bigEndianBytes bytes: some Sequence<UInt8>) {
        self.init(clamping: bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    }

    /// The integer nearest to any double, clamped to the range of the type.
    init(clampedFrom value: Double) {
        self = value.isFinite ? Int64(Swift.min(Swift.max(value.rounded(), -9e18), 9e18)) : 0
    }
}
