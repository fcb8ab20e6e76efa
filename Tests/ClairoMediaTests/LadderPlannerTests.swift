import ClairoCore
import ClairoTestSupport
import Testing

@testable import ClairoMedia

@Suite struct LadderPlannerTests {
    private static func plan(
        _ width: Int, _ height: Int, rate: Rational = Rational(25), bitRate: Int64 = 0, heights: [Int]? = nil
    ) -> (rungs: [Rung], decisions: [LadderDecision]) {
        LadderPlanner.plan(
            LadderPlanner.Source(
                size: FrameSize(width: width, height: height), frameRate: rate, bitRate: bitRate, segmentSeconds: 6),
            heights: heights)
    }

    private static func sizes(_ width: Int, _ height: Int, heights: [Int]? = nil) -> [String] {
        plan(width, height, heights: heights).rungs.map(\.size.description)
    }

    @Test func landscapeGetsEveryRungUpToItsOwnHeight() {
        let ladder = Self.plan(1920, 1080)
        #expect(ladder.rungs.map(\.name) == ["1080p", "720p", "480p", "360p", "240p"])
        #expect(ladder.rungs.map(\.size.description) == ["1920x1080", "1280x720", "854x480", "640x360", "426x240"])
        #expect(ladder.decisions.map(\.name) == ["2160p", "1440p", "1080p", "720p", "480p", "360p", "240p"])
        #expect(ladder.decisions.map(\.verdict) == [.dropped, .dropped, .kept, .kept, .kept, .kept, .kept])
    }

    @Test func portraitAndSquareAreNamedByTheirShortSide() {
        #expect(Self.sizes(1080, 1920) == ["1080x1920", "720x1280", "480x854", "360x640", "240x426"])
        #expect(Self.sizes(480, 480) == ["480x480", "360x360", "240x240"])
        #expect(Self.plan(1080, 1920).rungs.map(\.name) == Self.plan(1920, 1080).rungs.map(\.name))
    }

    @Test func aSizeBetweenTwoRungsBecomesTheTopRung() {
        let ladder = Self.plan(1778, 1000)
        #expect(ladder.rungs.map(\.name) == ["1000p", "720p", "480p", "360p", "240p"])
        #expect(ladder.rungs.first?.size == FrameSize(width: 1778, height: 1000))
        #expect(ladder.decisions.first { $0.name == "1000p" }?.reason.hasPrefix("the source's own size") == true)
    }

    /// 1080 is slightly less than 92 % of 1174, and slightly more than 92 % of 1172.
    @Test(arguments: [(1174, "1080p"), (1172, "720p"), (784, "720p"), (782, "480p"), (1082, "720p")])
    func aRungAlmostAsLargeAsTheSourceIsDropped(height: Int, second: String) {
        #expect(Self.plan(height * 2, height).rungs.prefix(2).map(\.name) == ["\(height)p", second])
    }

    @Test func oddSizesLoseOnePixelToBeEven() {
        #expect(Self.sizes(1279, 719) == ["1278x718", "854x480", "640x360", "426x240"])
        #expect(Self.sizes(641, 361).first == "640x360")
    }

    @Test func aTinySourceGetsOneRungOfItsOwnSize() {
        #expect(Self.sizes(64, 48) == ["64x48"])
        #expect(Self.sizes(2, 2) == ["2x2"])
        #expect(Self.sizes(1, 1) == ["2x2"])
        #expect(Self.sizes(1, 400) == ["2x400"])
    }

    @Test func requestedHeightsAreUsedOnceEachAndNeverUpscaled() {
        let ladder = Self.plan(1280, 720, heights: [360, 1080, 720, 360])
        #expect(ladder.rungs.map(\.name) == ["720p", "360p"])
        #expect(ladder.decisions.map(\.name) == ["1080p", "720p", "360p"])
        #expect(Self.sizes(1778, 1000, heights: [980, 500]) == ["1742x980", "890x500"])
    }

    @Test func requestedHeightsAboveTheSourceGiveItsOwnSize() {
        #expect(Self.sizes(640, 352, heights: [1080, 720]) == ["640x352"])
    }

    @Test func bitRateIsCappedByTheSources() {
        let ladder = Self.plan(1920, 1080, bitRate: 1_000_000)
        #expect(ladder.decisions.dropFirst(2).map(\.verdict) == [.capped, .capped, .capped, .kept, .kept])
        #expect(ladder.rungs.allSatisfy { $0.maxRate <= 1_000_000 })
        #expect(ladder.rungs[0].maxRate == LadderPlanner.encoderRates(cap: 1_000_000, segmentSeconds: 6).maxRate)
    }

    @Test(arguments: [
        (1920, 1080, Rational(25), 6_000_000), (1920, 1080, Rational(30), 6_000_000),
        (1920, 1080, Rational(50), 9_000_000),
        (1080, 1920, Rational(25), 6_000_000), (1280, 720, Rational(24), 4_000_000), (426, 240, Rational(25), 350_000),
        (3840, 2160, Rational(60000, 1001), 25_500_000),
    ])
    func capFollowsPixelsAndFrameRate(width: Int, height: Int, rate: Rational, cap: Int64) {
        #expect(LadderPlanner.capRate(FrameSize(width: width, height: height), frameRate: rate) == cap)
    }

    @Test func capGrowsWithTheSize() {
        let caps = stride(from: 16, through: 8640, by: 16).map {
            LadderPlanner.capRate(FrameSize(width: $0 * 2, height: $0), frameRate: Rational(25))
        }
        #expect(zip(caps, caps.dropFirst()).allSatisfy { $0 <= $1 })
        #expect(caps.allSatisfy { $0 >= 0 })
    }

    @Test(arguments: [(6.0, 5_217_391), (2.0, 4_137_931), (0.04, 2_142_857), (60.0, 5_911_330)])
    func aSegmentThatStartsWithAFullBufferStaysUnderTheCap(seconds: Double, rate: Int64) {
        #expect(LadderPlanner.encoderRates(cap: 6_000_000, segmentSeconds: seconds).maxRate == rate)
        // A segment may contain its own duration plus nine tenths of a second from the buffer.
        #expect(Double(rate) * (max(seconds, 0.5) + 0.9) <= 6_000_001 * max(seconds, 0.5))
    }

    @Test func bufferHoldsAKeyFrameAndTheSegmentStaysUnderTheCap() {
        let (rate, buffer) = LadderPlanner.encoderRates(cap: 200_000, segmentSeconds: 6, keyFrameBits: 350_000)
        #expect(Double(buffer) * 0.9 >= 350_000)
        #expect(Double(buffer) * 0.9 + Double(rate) * 6 <= 1_200_001)
    }

    @Test func encoderRateHasAMinimum() {
        #expect(LadderPlanner.encoderRates(cap: 1, segmentSeconds: 6).maxRate == 16_000)
    }

    @Test func everyLadderHasEvenSizesNeverUpscalesAndKeepsTheAspectRatio() {
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<2000 {
            let width = Int.random(in: 2...4400, using: &generator)
            let height = Int.random(in: 2...4400, using: &generator)
            let heights: [Int]? =
                Bool.random(using: &generator)
                ? nil : (0..<3).map { _ in Int.random(in: 8...2160, using: &generator) * 2 }
            let ladder = Self.plan(
                width, height, bitRate: .random(in: 0...9_000_000, using: &generator), heights: heights)
            #expect(!ladder.rungs.isEmpty)
            #expect(Set(ladder.rungs.map(\.name)).count == ladder.rungs.count)
            #expect(zip(ladder.rungs, ladder.rungs.dropFirst()).allSatisfy { $0.size.shortSide > $1.size.shortSide })
            for rung in ladder.rungs {
                let size = rung.size
                #expect(size.width % 2 == 0 && size.height % 2 == 0, "\(width)x\(height) gives \(size)")
                #expect(size.width <= width && size.height <= height, "\(width)x\(height) gives \(size)")
                // The long side is exact to a pixel, except for the pixel that an odd short side loses.
                let (long, short) = (Double(max(width, height)), Double(min(width, height)))
                let wanted = long * Double(size.shortSide) / short
                #expect(abs(Double(max(size.width, size.height)) - wanted) <= 1 + long / short)
                #expect(rung.maxRate > 0 && rung.bufferSize >= rung.maxRate)
            }
        }
    }
}
