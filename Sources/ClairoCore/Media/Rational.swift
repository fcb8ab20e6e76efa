/// An exact fraction, reduced and with a positive denominator: a frame rate, a time base or a time.
///
/// Its text and JSON form is `"24000/1001"`, or `"25/1"` for whole numbers.
public struct Rational: Hashable, Sendable, Comparable {
    /// Numerator, with the sign.
    public let num: Int64
    /// Denominator, above zero.
    public let den: Int64

    /// Reduces the fraction. A zero denominator gives 0/1, because damaged headers often contain one.
    public init(_ num: Int64, _ den: Int64 = 1) {
        guard den != 0, num != 0, num != .min, den != .min else {
            (self.num, self.den) = (0, 1)
            return
        }
        let divisor = Self.gcd(num.magnitude, den.magnitude)
        let sign: Int64 = den < 0 ? -1 : 1
        self.num = sign * num / Int64(divisor)
        self.den = sign * den / Int64(divisor)
    }

    /// The exact fraction if its terms fit into 64 bits, as for all values found in media files. Otherwise a close
    /// approximation, or the largest or smallest value.
    init(wide num: Int128, _ den: Int128) {
        var (a, b) = (num.magnitude, den.magnitude)
        while b != 0 { (a, b) = (b, a % b) }
        let (top, bottom) = a > 1 ? (num / Int128(a), den / Int128(a)) : (num, den)
        if let num = Int64(exactly: top), let den = Int64(exactly: bottom) {
            self.init(num, den)
        } else {
            self.init(nearly: top, bottom)
        }
    }

    /// The last convergent of the continued fraction whose terms fit.
    private init(nearly num: Int128, _ den: Int128) {
        let largest = UInt128(Int64.max)
        var (n, d) = (num.magnitude, den.magnitude)
        var (before, last): ((UInt128, UInt128), (UInt128, UInt128)) = ((0, 1), (1, 0))
        while d != 0 {
            let quotient = n / d
            guard quotient <= largest else { break }
            let next = (quotient * last.0 + before.0, quotient * last.1 + before.1)
            guard next.0 <= largest, next.1 <= largest else { break }
            (before, last) = (last, next)
            (n, d) = (d, n % d)
        }
        let isNegative = (num < 0) != (den < 0)
        // If even the first convergent does not fit, the value itself does not.
        let magnitude = last.1 == 0 ? Int64.max : Int64(last.0)
        self.init(isNegative ? -magnitude : magnitude, last.1 == 0 ? 1 : Int64(last.1))
    }

    /// 0/1.
    public static let zero = Rational(0, 1)

    /// The nearest double, for display and estimates. Arithmetic stays exact.
    public var doubleValue: Double { Double(num) / Double(den) }

    /// The reciprocal. Zero for zero.
    public var inverse: Rational { num == 0 ? .zero : Rational(den, num) }

    public static func < (lhs: Rational, rhs: Rational) -> Bool {
        Int128(lhs.num) * Int128(rhs.den) < Int128(rhs.num) * Int128(lhs.den)
    }

    public static func + (lhs: Rational, rhs: Rational) -> Rational {
        Rational(
            wide: Int128(lhs.num) * Int128(rhs.den) + Int128(rhs.num) * Int128(lhs.den),
            Int128(lhs.den) * Int128(rhs.den))
    }

    public static func - (lhs: Rational, rhs: Rational) -> Rational {
        lhs + Rational(-rhs.num, rhs.den)
    }

    public static prefix func - (value: Rational) -> Rational { Rational(-value.num, value.den) }

    public static func * (lhs: Rational, rhs: Rational) -> Rational {
        Rational(wide: Int128(lhs.num) * Int128(rhs.num), Int128(lhs.den) * Int128(rhs.den))
    }

    public static func / (lhs: Rational, rhs: Rational) -> Rational { lhs * rhs.inverse }

    /// The nearest integer, halves away from zero.
    public var rounded: Int64 {
        let doubled = Int128(num.magnitude) * 2 + Int128(den)
        let magnitude = Int64(doubled / (Int128(den) * 2))
        return num < 0 ? -magnitude : magnitude
    }

    /// The largest integer not above this value.
    public var floor: Int64 {
        let quotient = num / den
        return num % den < 0 ? quotient - 1 : quotient
    }

    /// The smallest integer not below this value.
    public var ceil: Int64 { -Rational(-num, den).floor }

    /// The fraction nearest to `seconds`, with microsecond resolution.
    public init(seconds: Double) {
        guard seconds.isFinite, abs(seconds) < 9e12 else {
            self = .zero
            return
        }
        self.init(Int64((seconds * 1_000_000).rounded()), 1_000_000)
    }

    private static func gcd(_ a: UInt64, _ b: UInt64) -> UInt64 {
        var (a, b) = (a, b)
        while b != 0 { (a, b) = (b, a % b) }
        return max(a, 1)
    }
}

extension Rational: LosslessStringConvertible {
    public var description: String { "\(num)/\(den)" }

    /// Parses `24000/1001` or `24`.
    public init?(_ description: String) {
        let parts = description.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map { Int64($0) }
        guard let num = parts.first ?? nil, let den = parts.count == 2 ? parts[1] : 1, den != 0 else { return nil }
        self.init(num, den)
    }
}

extension Rational: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = Rational(text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "\"\(text)\" is not a fraction such as 24000/1001")
        }
        self = value
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
