import Foundation
import Testing

@testable import ClairoCore

@Suite struct RationalTests {
    @Test func fractionsAreReducedToAPositiveDenominator() {
        #expect(Rational(30000, -1000) == Rational(-30))
        #expect(Rational(-48048, 24000).description == "-1001/500")
        #expect(Rational(0, 7).description == "0/1")
        #expect(Set([Rational(1, 2), Rational(2, 4), Rational(-3, -6)]).count == 1)
    }

    @Test(arguments: [(1, 0), (0, 0), (-5, 0), (Int64.min, 3), (3, .min), (.max, 0)] as [(Int64, Int64)])
    func anInvalidFractionIsZero(num: Int64, den: Int64) {
        #expect(Rational(num, den) == .zero)
        #expect(Rational(num, den).inverse == .zero)
    }

    @Test func arithmeticIsExact() {
        let ntsc = Rational(24000, 1001)
        #expect(Rational(48) / ntsc == Rational(2002, 1000))
        #expect(ntsc * Rational(1001, 24000) == Rational(1))
        #expect(Rational(1, 3) + Rational(1, 6) == Rational(1, 2))
        #expect(Rational(1, 3) - Rational(1, 2) == Rational(-1, 6))
        #expect(-Rational(1, 3) == Rational(1, -3))
        #expect(Rational(5) / .zero == .zero)
    }

    @Test func theFramesOfADayAddUpWithoutDrift() {
        let frame = Rational(1001, 60000)
        let frames = Int64(86_400 * 60)
        #expect((Rational(frames) * frame / frame).rounded == frames)
        let sum = (0..<100_000).reduce(Rational.zero) { total, _ in total + frame }
        #expect(sum == Rational(100_000 * 1001, 60000))
    }

    @Test(
        arguments: [
            (Rational(1, 2), 1, 0, 1), (Rational(-1, 2), -1, -1, 0), (Rational(3, 2), 2, 1, 2),
            (Rational(-3, 2), -2, -2, -1),
            (Rational(49, 100), 0, 0, 1), (Rational(-49, 100), 0, -1, 0), (Rational(7), 7, 7, 7),
            (Rational(-7), -7, -7, -7),
            (.zero, 0, 0, 0), (Rational(.max), .max, .max, .max), (Rational(-.max), -.max, -.max, -.max),
            (Rational(.max, 2), 1 << 62, (1 << 62) - 1, 1 << 62),
        ] as [(Rational, Int64, Int64, Int64)])
    func halvesRoundAwayFromZero(value: Rational, rounded: Int64, floor: Int64, ceil: Int64) {
        #expect(value.rounded == rounded)
        #expect(value.floor == floor)
        #expect(value.ceil == ceil)
    }

    @Test func comparisonIsExactWhereDoublesAreNot() {
        #expect(Rational(1 << 60) < Rational((1 << 60) + 1))
        #expect(Rational(.max - 1, .max) < Rational(1))
        #expect(Rational(-1, 2) < Rational(-1, 3))
        #expect(Rational(-.max) < Rational(.max))
        #expect(!(Rational(2, 4) < Rational(1, 2)))
    }

    @Test func resultsThatOverflowAreApproximatedWithTheirSign() {
        let huge = Rational(.max)
        for value in [huge * huge, huge + huge, huge / Rational(1, .max)] { #expect(value > Rational(1 << 61)) }
        #expect(-huge - huge < -Rational(1 << 61))
        #expect(huge * -huge < -Rational(1 << 61))
        let fine = Rational(.max - 2, .max - 1) * Rational(.max - 4, .max - 3)
        #expect(abs(fine.doubleValue - 1) < 1e-9)
        #expect((Rational(1, .max) * Rational(1, .max)).doubleValue < 1e-18)
        #expect(abs((Rational(1 << 62) * Rational(1001, 90_000)).doubleValue / 5.12922e16 - 1) < 1e-4)
    }

    @Test func secondsAreRoundedToMicroseconds() {
        #expect(Rational(seconds: 0.1) == Rational(1, 10))
        #expect(Rational(seconds: -6.006) == Rational(-6006, 1000))
        for value in [Double.nan, .infinity, -.infinity, 1e300] { #expect(Rational(seconds: value) == .zero) }
    }

    @Test(arguments: [
        (Rational(24000, 1001), #""24000/1001""#), (Rational(25), #""25/1""#), (Rational(-1, 3), #""-1/3""#),
        (.zero, #""0/1""#),
    ])
    func jsonIsAStringWithASlash(value: Rational, json: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        #expect(String(decoding: try encoder.encode(value), as: UTF8.self) == json)
        #expect(try JSONDecoder().decode(Rational.self, from: Data(json.utf8)) == value)
    }

    @Test func jsonMayOmitADenominatorOfOneAndNeedNotBeReduced() throws {
        #expect(try JSONDecoder().decode(Rational.self, from: Data(#""30""#.utf8)) == Rational(30))
        #expect(try JSONDecoder().decode(Rational.self, from: Data(#""50/2""#.utf8)) == Rational(25))
    }

    @Test(arguments: [
        #""""#, #""x""#, #""1/0""#, #""1/""#, #""/1""#, #""1/2/3""#, #""1.5""#, #""99999999999999999999/1""#, "25",
        "null",
    ])
    func invalidJSONIsRefused(json: String) {
        #expect(throws: DecodingError.self) { try JSONDecoder().decode(Rational.self, from: Data(json.utf8)) }
    }
}
