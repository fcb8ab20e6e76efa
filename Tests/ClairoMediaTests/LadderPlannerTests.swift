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
        #expect(ladder.rungs.map(\.id) == ["1080p", "720p", "480p", "360p", "240p"])
        #expect(ladder.rungs.map(\.size.description) == ["1920x1080", "1280x720", "854x480", "640x360", "426x240"])
        #expect(ladder.decisions.map(\.id) == ["2160p", "1440p", "1080p", "720p", "480p", "360p", "240p"])
        #expect(ladder.decisions.map(\.verdict) == [.dropped, .dropped, .kept, .kept, .kept, .kept, .kept])
    }

    @Test func portraitAndSquareAreNamedByTheirShortSide() {
        #expect(Self.sizes(1080, 1920) == ["1080x1920", "720x1280", "480x854", "360x640", "240x426"])
        #expect(Self.sizes(480, 480) == ["480x480", "360x360", "240x240"])
        #expect(Self.plan(1080, 1920).rungs.map(\.id) == Self.plan(1920, 1080).rungs.map(\.id))
    }

    @Test func aSizeBetweenTwoRungsBecomesTheTopRung() {
        let ladder = Self.plan(1778, 1000)
        #expect(ladder.rungs.map(\.id) == ["1000p", "720p", "480p", "360p", "240p"])
        #expect(ladder.rungs.first?.size == FrameSize(width: 1778, height: 1000))
        #expect(ladder.decisions.first { $0.id == "1000p" }?.reason.hasPrefix("the source's own size") == true)
    }

    /// 1080 is slightly less than 92 % of 1174, and slightly more than 92 % of 1172.
    @Test(arguments: [(1174, "1080p"), (1172, "720p"), (784, "720p"), (782, "480p"), (1082, "720p")])
    func aRungAlmostAsLargeAsTheSourceIsDropped(height: Int, second: String) {
        #expect(Self.plan(height * 2, height).rungs.prefix(2).map(\.id) == ["\(height)p", second])
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
        #expect(ladder.rungs.map(\.id) == ["720p", "360p"])
        #expect(ladder.decisions.map(\.id) == ["1080p", "720p", "360p"])
        #expect(Self.sizes(1778, 1000, heights: [980, 500]) == ["1742x980", "890x500"])
    }

    @Test func requestedHeightsAboveTheSourceGiveItsOwnSize() {
        #expect(Self.sizes(640, 352, heights: [1080, 720]) == ["640x352"])
    }

    @Test func bitRateIsCappedByTheSources() {
        let ladder = Self.plan(1920, 1080, bitRate: 1_000_000)
        #expect(ladder.decisions.dropFirst(2).allSatisfy { $0.verdict == .capped })
        #expect(ladder.rungs[0].maxRate == LadderPlanner.encoderRates(cap: 1_500_000, segmentSeconds: 6).maxRate)
        // The source's frames at the rate of the source, with room for what a second encoder needs more.
        #expect(ladder.rungs[0].maxRate > 1_300_000)
        #expect(ladder.decisions[2].reason.contains("capped by the source's own at 1500 kbit/s"))
        // A third of the height has a third of the limit.
        let third = LadderPlanner.encoderRates(cap: 500_000, segmentSeconds: 6).maxRate
        #expect(abs(ladder.rungs[3].maxRate - third) < 1000)
    }

    /// The limits of such a source were those of the table when its average counted.
    @Test func anOrdinaryFilmHasTheLimitsOfTheTable() {
        for (size, rate) in [((1920, 1080), 5_000_000), ((1280, 720), 3_000_000), ((640, 360), 800_000)] {
            let ladder = Self.plan(size.0, size.1, bitRate: Int64(rate))
            #expect(ladder.rungs == Self.plan(size.0, size.1).rungs)
        }
    }

    @Test func aBetterQualityRaisesTheCap() {
        func rate(_ quality: Double) -> Int64 {
            var source = LadderPlanner.Source(
                size: FrameSize(width: 1920, height: 1080), frameRate: Rational(25), bitRate: 1_000_000,
                segmentSeconds: 6)
            source.quality = quality
            return LadderPlanner.plan(source, heights: nil).rungs[0].maxRate
        }
        #expect(abs(rate(17) - 2 * rate(23)) <= 2)
        #expect(rate(30) == rate(23))
    }

    // MARK: Nearly the same rate

    @Test func ofTwoRungsWithNearlyTheSameRateTheLargerIsKept() {
        // 720 is 91 % of 790: far enough apart in size, but not in rate if the source limits both.
        #expect(Self.plan(1404, 790).rungs.prefix(2).map(\.id) == ["790p", "720p"])
        let ladder = Self.plan(1404, 790, bitRate: 300_000)
        #expect(ladder.rungs.map(\.id) == ["790p", "480p", "360p", "240p"])
        let dropped = ladder.decisions.first { $0.id == "720p" }
        #expect(dropped?.verdict == .dropped)
        #expect(dropped?.reason == "needs nearly the rate of 790p, which shows more")
    }

    @Test func aSourceOfAlmostNoRateGetsItsOwnSizeOnly() {
        #expect(Self.plan(300, 300, bitRate: 100).rungs.map(\.id) == ["300p"])
    }

    @Test func requestedHeightsAreKeptWhateverTheirRate() {
        let ladder = Self.plan(1404, 790, bitRate: 300_000, heights: [790, 720])
        #expect(ladder.rungs.map(\.id) == ["790p", "720p"])
    }

    @Test func noTwoNeighboursOfALadderHaveNearlyTheSameRate() {
        for height in stride(from: 120, through: 2160, by: 62) {
            for rate in [20_000, 100_000, 500_000, 2_000_000, 8_000_000] {
                let rungs = Self.plan(height * 2, height, bitRate: Int64(rate)).rungs
                let expected = rungs.map { CostModel.expectedRate($0, frameRate: Rational(25), quality: 23) }
                #expect(zip(expected, expected.dropFirst()).allSatisfy { $1 < $0 * 0.9 }, "\(height)p, \(rate)")
            }
        }
    }

    // MARK: Larger than H.264 allows

    @Test func aSourceAboveTheHighestLevelGetsTheLargestSizeThatFits() {
        let ladder = Self.plan(5760, 2880)
        #expect(ladder.rungs.first?.size == FrameSize(width: 4096, height: 2048))
        #expect(ladder.rungs.map(\.id) == ["2048p", "1440p", "1080p", "720p", "480p", "360p", "240p"])
        let own = ladder.decisions.first { $0.id == "2880p" }
        #expect(own?.verdict == .dropped && own?.reason.contains("level 5.2") == true)
        #expect(ladder.decisions.first { $0.id == "2048p" }?.reason.hasPrefix("the largest size") == true)
    }

    @Test func aStandardSizeCloseToTheLargestReplacesIt() {
        #expect(Self.sizes(7680, 4320).first == "3840x2160")
        #expect(Self.plan(7680, 4320, rate: Rational(60)).rungs.first?.id == "2160p")
    }

    @Test func noRungIsAboveTheHighestLevel() {
        for (width, height) in [(8192, 4320), (5120, 2160), (4400, 64), (64, 4400), (4320, 7680), (4200, 4200)] {
            for rate in [Rational(24), Rational(60)] {
                for heights in [nil, [4320, 2160], [2160]] as [[Int]?] {
                    let rungs = Self.plan(width, height, rate: rate, heights: heights).rungs
                    #expect(!rungs.isEmpty)
                    #expect(rungs.allSatisfy { H264.fits(size: $0.size, frameRate: rate) }, "\(width)x\(height)")
                }
            }
        }
    }

    // MARK: Limits of the encoder

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
            #expect(Set(ladder.rungs.map(\.id)).count == ladder.rungs.count)
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
