internal import CFFmpeg

/// libav's `AVRational`: a time base, a frame rate or an aspect ratio. A value from a header may be 0/0.
public struct Ratio: Hashable, Sendable {
    /// Numerator.
    public var num: Int32
    /// Denominator.
    public var den: Int32

    public init(_ num: Int32, _ den: Int32) {
        self.num = num
        self.den = den
    }

    init(_ value: AVRational) {
        num = value.num
        den = value.den
    }

    var av: AVRational { AVRational(num: num, den: den) }

    /// Whether numerator and denominator are positive.
    public var isUsable: Bool { num > 0 && den > 0 }
}

/// Converts libav's special value for "no timestamp" to nil.
func timestamp(_ value: Int64) -> Int64? { value == clairo_nopts ? nil : value }
