import ClairoCore
import ClairoTestSupport
import Testing

@testable import ClairoMedia

@Suite struct FrameTimingTests {
    // MARK: - Fields

    /// 25 interlaced frames per second, in ticks of 90 kHz; each field has a packet of 100 bytes.
    private static let fields = (0..<100).map { JoinedPackets.Record(time: 1800 * Int64($0), bytes: 100) }
    private static let timeBase90k = Rational(1, 90_000)

    @Test func fieldsWithTimesOfTheirOwnBecomeFrames() {
        let times = Self.fields.map(\.time)
        #expect(FrameTiming.analyze(pts: times, timeBase: Self.timeBase90k, declared: []).rate == Rational(50))
        // A decoder returns a frame for every second packet.
        let ticks = FieldPairs.frameTicks(decoded: (0..<8).map { 3600 * $0 }, packets: times)
        #expect(ticks == 3600)
        let frames = FieldPairs.joined(Self.fields, frameTicks: 3600)
        #expect(frames.map(\.time) == (0..<50).map { 3600 * $0 })
        #expect(frames.allSatisfy { $0.bytes == 200 })
        let timing = FrameTiming.analyze(pts: frames.map(\.time), timeBase: Self.timeBase90k, declared: [Rational(50)])
        #expect(timing == FrameTiming.Result(rate: Rational(25), isVariable: false))
    }

    @Test func picturesThatAreCodedAsFramesStayAmongFields() {
        // The tenth frame is one picture.
        let mixed = Self.fields.filter { $0.time != 19 * 1800 }
        let frames = FieldPairs.joined(mixed, frameTicks: 3600)
        #expect(frames.map(\.time) == (0..<50).map { 3600 * $0 })
        #expect(frames[9].bytes == 100 && frames[10].bytes == 200)
    }

    @Test func packetsThatAreFramesAreNotTakenForFields() {
        let times = (0..<50).map { Int64(3600 * $0) }
        #expect(FieldPairs.frameTicks(decoded: Array(times[..<8]), packets: times) == nil)
        // The decoder left out one frame, or returned few.
        #expect(FieldPairs.frameTicks(decoded: Array(times[..<3] + times[4..<9]), packets: times) == nil)
        #expect(FieldPairs.frameTicks(decoded: [0, 7200, 14_400], packets: times) == nil)
        #expect(FieldPairs.frameTicks(decoded: [], packets: times) == nil)
    }

    private static let milliseconds = Rational(1, 1000)
    private static let broadcast = Rational(1, 90_000)

    private static let rates = [
        Rational(24000, 1001), Rational(24), Rational(25), Rational(30000, 1001), Rational(30), Rational(50),
        Rational(60000, 1001), Rational(60), Rational(25, 2), Rational(15), Rational(1),
    ]

    /// Frame times at an exact rate, rounded to a container's time base.
    private static func times(
        _ rate: Rational, clock: Rational, frames: some Sequence<Int64> = Int64(0)..<500, start: Int64 = 0
    ) -> [Int64] {
        frames.map { start + (Rational($0) / rate / clock).rounded }
    }

    @Test(arguments: rates)
    func theRateIsExactForAMillisecondTimeBase(rate: Rational) {
        let result = FrameTiming.analyze(
            pts: Self.times(rate, clock: Self.milliseconds), timeBase: Self.milliseconds, declared: [])
        #expect(result == FrameTiming.Result(rate: rate, isVariable: false))
    }

    @Test(arguments: rates)
    func theRateIsExactForABroadcastTimeBase(rate: Rational) {
        let pts = Self.times(rate, clock: Self.broadcast, start: 126_000)
        let result = FrameTiming.analyze(pts: pts, timeBase: Self.broadcast, declared: [])
        #expect(result == FrameTiming.Result(rate: rate, isVariable: false))
    }

    @Test(arguments: rates)
    func droppedFramesDoNotMakeARateVariable(rate: Rational) {
        let frames = (Int64(0)..<500).filter { $0 % 17 != 3 && !(100..<140).contains($0) }
        let result = FrameTiming.analyze(
            pts: Self.times(rate, clock: Self.milliseconds, frames: frames), timeBase: Self.milliseconds,
            declared: [rate])
        #expect(result == FrameTiming.Result(rate: rate, isVariable: false))
    }

    @Test func aWrongDeclaredRateIsIgnored() {
        let pts = Self.times(Rational(25), clock: Self.broadcast)
        let result = FrameTiming.analyze(pts: pts, timeBase: Self.broadcast, declared: [Rational(30), Rational(1000)])
        #expect(result == FrameTiming.Result(rate: Rational(25), isVariable: false))
    }

    @Test func aDeclaredRateOfTwiceTheActualOneIsIgnored() {
        let pts = Self.times(Rational(25), clock: Self.broadcast)
        let result = FrameTiming.analyze(pts: pts, timeBase: Self.broadcast, declared: [Rational(50)])
        #expect(result == FrameTiming.Result(rate: Rational(25), isVariable: false))
    }

    @Test func anUnusualRateIsDerivedFromTheTimes() {
        let pts = (0..<300).map { Int64($0) * 1000 }
        let result = FrameTiming.analyze(pts: pts, timeBase: Rational(1, 17_500), declared: [])
        #expect(result == FrameTiming.Result(rate: Rational(35, 2), isVariable: false))
    }

    @Test(arguments: [(Rational(2997, 100), Rational(30000, 1001)), (Rational(23976, 1000), Rational(24000, 1001))])
    func aRoundedDeclaredRateBecomesTheStandardRate(claim: Rational, meant: Rational) {
        let result = FrameTiming.analyze(pts: [0], timeBase: Self.milliseconds, declared: [claim])
        #expect(result == FrameTiming.Result(rate: meant, isVariable: false))
    }

    @Test func jitterIsAVariableRateNearTheNearestStandardRate() {
        var generator = SeededGenerator(seed: 5)
        var time: Int64 = 0
        let pts = (0..<400).map { _ in
            time += 3000 + Int64.random(in: -700...700, using: &generator)
            return time
        }
        let result = FrameTiming.analyze(pts: pts, timeBase: Self.broadcast, declared: [Rational(2983, 100)])
        #expect(result.isVariable)
        #expect([Rational(30), Rational(30000, 1001)].contains(result.rate))
    }

    @Test(arguments: [10, 20])
    func framesStampedOnArrivalAreCountedAtTheirAverageRate(milliseconds: Int64) {
        var generator = SeededGenerator(seed: UInt64(milliseconds))
        let pts = (0..<Int64(150)).map { $0 * 1000 / 30 + .random(in: -milliseconds...milliseconds, using: &generator) }
        let result = FrameTiming.analyze(pts: pts.sorted(), timeBase: Self.milliseconds, declared: [])
        #expect(result.isJittered == (milliseconds > 10))
        #expect([Rational(30), Rational(30000, 1001)].contains(result.rate))
    }

    @Test(arguments: [5, 1])
    func aScreenRecordingHasTheRateOfItsMovingParts(slides: Int64) {
        let still = (0..<40 * slides).map { $0 * 1000 / slides }
        let moving = (0..<Int64(90)).map { 40_000 + $0 * 1000 / 30 }
        let result = FrameTiming.analyze(pts: still + moving, timeBase: Self.milliseconds, declared: [])
        #expect(!result.isJittered)
        #expect([Rational(30), Rational(30000, 1001)].contains(result.rate))
    }

    @Test func unevenFramesOfAFasterGridGetAStandardRate() {
        let frames = (Int64(0)..<300).filter { $0 % 7 == 0 || $0 % 3 == 0 }
        let result = FrameTiming.analyze(
            pts: Self.times(Rational(60), clock: Self.milliseconds, frames: frames), timeBase: Self.milliseconds,
            declared: [])
        #expect(FrameTiming.standardRates.contains(result.rate), "\(result)")
    }

    @Test func noFrameOfAShortAnimationIsLost() {
        let pts: [Int64] = [0, 2, 52, 62, 112]
        let result = FrameTiming.analyze(pts: pts, timeBase: Rational(1, 100), declared: [])
        let positions = Set(pts.map { (Rational($0, 100) * FrameTiming.outputRate(result.rate)).rounded })
        #expect(positions.count == pts.count)
    }

    @Test func slidesWithLongPausesAreVariable() {
        let pts: [Int64] = [0, 40, 80, 5013, 5053, 9999, 10_039, 20_002]
        #expect(FrameTiming.analyze(pts: pts, timeBase: Self.milliseconds, declared: []).isVariable)
    }

    @Test(arguments: [[], [7], [7, 7, 7]] as [[Int64]])
    func fewerThanTwoTimesGiveTheDeclaredRate(pts: [Int64]) {
        func rate(_ declared: [Rational]) -> FrameTiming.Result {
            FrameTiming.analyze(pts: pts, timeBase: Self.milliseconds, declared: declared)
        }
        #expect(rate([Rational(24)]) == FrameTiming.Result(rate: Rational(24), isVariable: false))
        #expect(rate([]) == FrameTiming.Result(rate: Rational(25), isVariable: false))
        #expect(rate([.zero, Rational(90_000)]) == FrameTiming.Result(rate: Rational(25), isVariable: false))
    }

    @Test(
        arguments: [
            [.min + 1, .max], [.min + 1, 0, .max], [0, .max], [-.max, -.max + 1, .max], [0, 1, 1, 1, 2],
            [.max - 1, .max],
        ] as [[Int64]], [Rational(1, 1000), .zero, Rational(1, .max), Rational(.max)])
    func hostileTimesGiveSomeRateAndDoNotTrap(pts: [Int64], timeBase: Rational) {
        let result = FrameTiming.analyze(pts: pts, timeBase: timeBase, declared: [Rational(.max), Rational(1, .max)])
        let output = FrameTiming.outputRate(result.rate)
        #expect(output >= FrameTiming.slowest && output <= FrameTiming.fastest)
    }

    @Test(arguments: [
        (Rational(120), Rational(60)), (Rational(120_000, 1001), Rational(60000, 1001)), (Rational(240), Rational(60)),
        (Rational(100), Rational(50)), (Rational(90), Rational(30)), (Rational(144), Rational(48)),
        (Rational(75), Rational(25)), (Rational(1000), Rational(60)), (Rational(61), Rational(60)),
        (Rational(60), Rational(60)), (Rational(24000, 1001), Rational(24000, 1001)), (Rational(1, 10), Rational(1)),
        (.zero, Rational(1)),
    ])
    func theOutputKeepsRatesUpTo60AndDividesFasterOnesEvenly(source: Rational, output: Rational) {
        #expect(FrameTiming.outputRate(source) == output)
    }
}
