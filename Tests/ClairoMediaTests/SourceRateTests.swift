import ClairoCore
import Testing

@testable import ClairoMedia

@Suite struct SourceRateTests {
    /// A part of a source with evenly spaced frames, one key frame every `keySeconds`.
    private struct Part {
        var seconds: Int
        var keyBytes: Int32
        var otherBytes: Int32
        var keySeconds = 2
    }

    /// The rate of a source at 25 frames per second in ticks of 1/1000 s.
    private static func rate(_ parts: [Part], codec: String = "h264") -> SourceRate? {
        var (pts, sizes, keys): ([Int64], [Int32], [Int64]) = ([], [], [])
        for part in parts {
            for frame in 0..<part.seconds * 25 {
                let time = Int64(pts.count * 40)
                let isKey = frame % (part.keySeconds * 25) == 0
                if isKey { keys.append(time) }
                pts.append(time)
                sizes.append(isKey ? part.keyBytes : part.otherBytes)
            }
        }
        return SourceRate(
            codec: codec, pts: pts, sizes: sizes, keyFrames: keys, timeBase: Rational(1, 1000),
            duration: Double(pts.count) / 25, gopSeconds: 2)
    }

    private static func limit(_ rate: SourceRate?, _ width: Int, _ height: Int) -> Int64? {
        let source = LadderPlanner.Source(
            size: FrameSize(width: width, height: height), frameRate: Rational(25), bitRate: rate?.peak ?? 0,
            segmentSeconds: 6, keyFrameBits: rate?.keyFrameBits ?? 0)
        return LadderPlanner.plan(source, heights: nil).rungs.first?.maxRate
    }

    @Test func anEvenSourceHasItsOwnRate() {
        // 10 kB and 49 times 1 kB in two seconds.
        let rate = Self.rate([Part(seconds: 60, keyBytes: 10_000, otherBytes: 1000)])
        #expect(rate?.peak == 236_000)
        #expect(rate?.keyFrameBits == 80_000)
    }

    /// 45 s of a slide and 8 s of film: the average is 90 kbit/s, the film has 480.
    @Test func aSlideDoesNotHideTheFilmAfterIt() throws {
        let slide = Part(seconds: 45, keyBytes: 20_000, otherBytes: 20, keySeconds: 10)
        let film = Part(seconds: 8, keyBytes: 12_000, otherBytes: 2200)
        let peak = try #require(Self.rate([slide, film])).peak
        #expect((470_000...560_000).contains(peak))
        let limit = try #require(Self.limit(Self.rate([slide, film]), 640, 360))
        #expect(limit > 480_000 * 5 / 4)
    }

    /// 60 s of a still picture and 6 s of motion.
    @Test(arguments: [12, 60])
    func aBurstAfterAStillPictureHasTheLimitOfTheBurstAlone(seconds: Int) throws {
        let still = Part(seconds: seconds, keyBytes: 5600, otherBytes: 13, keySeconds: 10)
        let burst = Part(seconds: 6, keyBytes: 5200, otherBytes: 1000, keySeconds: 4)
        let alone = try #require(Self.rate([burst]))
        #expect(try #require(Self.rate([still, burst])).peak >= alone.peak)
        #expect(Self.limit(Self.rate([still, burst]), 320, 180) == Self.limit(alone, 320, 180))
    }

    @Test func aBurstThatIsShorterThanASegmentCounts() throws {
        let still = Part(seconds: 20, keyBytes: 5000, otherBytes: 10)
        let burst = Part(seconds: 2, keyBytes: 10_000, otherBytes: 4000)
        let peak = try #require(Self.rate([still, burst, still])).peak
        #expect(peak >= (10_000 + 49 * 4000) * 8 / 2)
    }

    @Test func theOutputsKeyFramesAreAdded() throws {
        // Key frames every 10 s; the output has one every two seconds.
        let rate = try #require(Self.rate([Part(seconds: 60, keyBytes: 50_000, otherBytes: 1000, keySeconds: 10)]))
        #expect(rate.peak == (50_000 + 50_000) * 8 / 2)
    }

    @Test(arguments: [("h264", 1.0), ("mpeg2video", 1.0), ("vp9", 1.6), ("hevc", 2.0), ("av1", 2.2)])
    func theRateIsScaledToH264(codec: String, factor: Double) throws {
        let part = Part(seconds: 10, keyBytes: 20_000, otherBytes: 1000)
        let rate = try #require(Self.rate([part], codec: codec))
        let h264 = try #require(Self.rate([part]))
        #expect(abs(Double(rate.peak) - Double(h264.peak) * factor) <= 1)
        #expect(abs(rate.keyFrameBits - h264.keyFrameBits * factor) <= 1)
    }

    /// 720p of 491 kbit/s in HEVC, which was limited to that rate in H.264.
    @Test func anHEVCSourceMayHaveItsQualityInH264() throws {
        let film = Part(seconds: 10, keyBytes: 30_000, otherBytes: 1890)
        let limit = try #require(Self.limit(Self.rate([film], codec: "hevc"), 1280, 720))
        #expect(limit > 1_200_000)
    }

    @Test(arguments: ["gif", "mjpeg", "prores", "ffv1", "something"])
    func otherCodecsGiveNoLimit(codec: String) {
        #expect(Self.rate([Part(seconds: 2, keyBytes: 100, otherBytes: 10)], codec: codec) == nil)
    }

    @Test func unusableTimesAndSizesGiveNoOrAHigherRate() {
        func rate(_ pts: [Int64], _ sizes: [Int32], keys: [Int64] = []) -> SourceRate? {
            SourceRate(
                codec: "h264", pts: pts, sizes: sizes, keyFrames: keys, timeBase: Rational(1, 1000), duration: 1,
                gopSeconds: 2)
        }
        #expect(rate([], []) == nil)
        #expect(rate([0, 40], [100]) == nil)
        #expect(rate([0, 40], [0, -5]) == nil)
        #expect(rate([.min, .max], [100, 100]) == nil)
        // All frames at the same time.
        #expect(rate([0, 0, 0], [1000, 1000, 1000])?.peak == 24_000)
        // Key frames at times of no frame.
        #expect(rate([0, 40], [1000, 1000], keys: [-5, 20, 99])?.peak == 16_000)
        // A single frame.
        #expect(rate([7], [1000], keys: [7])?.keyFrameBits == 8000)
    }
}
