import ClairoCore
import ClairoTestSupport
import Testing

@testable import ClairoMedia

/// The ladders of HEVC and AV1, and of HDR.
@Suite struct CodecLadderTests {
    private static func plan(
        _ width: Int, _ height: Int, rate: Rational = Rational(25), bitRate: Int64 = 0, codec: VideoCodec,
        range: DynamicRange = .sdr, wave: Int = 1, heights: [Int]? = nil
    ) -> (rungs: [Rung], decisions: [LadderDecision]) {
        LadderPlanner.plan(
            LadderPlanner.Source(
                size: FrameSize(width: width, height: height), frameRate: rate, bitRate: bitRate, segmentSeconds: 6),
            target: LadderPlanner.Target(codec: codec, dynamicRange: range, wave: wave), heights: heights)
    }

    @Test func rungsAreNamedAfterCodecAndRange() {
        let hevc = Self.plan(1280, 720, codec: .hevc).rungs
        #expect(hevc.map(\.id) == ["720p-hevc", "480p-hevc", "360p-hevc", "240p-hevc"])
        #expect(hevc.allSatisfy { $0.codec == .hevc && $0.bitDepth == 8 && $0.wave == 1 && $0.dynamicRange == .sdr })
        let hdr = Self.plan(640, 360, codec: .av1, range: .hdr10).rungs
        #expect(hdr.map(\.id) == ["360p-av1-hdr", "240p-av1-hdr"])
        #expect(hdr.allSatisfy { $0.bitDepth == 10 && $0.dynamicRange == .hdr10 })
        #expect(Self.plan(640, 360, codec: .av1).rungs.allSatisfy { $0.bitDepth == 10 })
    }

    @Test func ratesShrinkByWhatTheCodecSaves() {
        func rate(_ codec: VideoCodec, _ range: DynamicRange = .sdr) -> Double {
            Double(Self.plan(1920, 1080, codec: codec, range: range).rungs[0].maxRate)
        }
        let reference = rate(.h264)
        for codec in VideoCodec.allCases {
            #expect(abs(reference / rate(codec) - codec.coding.efficiency) < 0.01)
        }
        #expect(abs(rate(.hevc, .hlg) / rate(.hevc) - 1.2) < 0.01)
        // The source's own rate is a limit in H.264, too.
        let limited = [VideoCodec.h264, .av1].map { Self.plan(1280, 720, bitRate: 1_000_000, codec: $0).rungs[0] }
        #expect(abs(Double(limited[0].maxRate) / Double(limited[1].maxRate) - 2) < 0.05)
    }

    @Test func onlyHEVCAndAV1GoBeyond2160p() {
        #expect(Self.plan(7680, 4320, codec: .h264).rungs.first?.id == "2160p")
        for codec in [VideoCodec.hevc, .av1] {
            #expect(Self.plan(7680, 4320, codec: codec).rungs.first?.size == FrameSize(width: 7680, height: 4320))
            #expect(
                Self.plan(3840, 2160, rate: Rational(120), codec: codec).rungs.first?.size
                    == FrameSize(width: 3840, height: 2160))
        }
    }

    @Test func noFramesAreMadeThatTheEncoderRefuses() {
        let ladder = Self.plan(4400, 64, codec: .av1, heights: [64, 32])
        #expect(ladder.rungs.map(\.size) == [FrameSize(width: 4400, height: 64)])
        #expect(ladder.decisions.last?.reason == "AV1 needs 64 pixels on each side")
        #expect(Self.plan(32, 18, codec: .av1).rungs.isEmpty)
        #expect(Self.plan(32, 18, codec: .hevc).rungs.count == 1)
        let tiny = Self.plan(4, 2, codec: .hevc)
        #expect(tiny.rungs.isEmpty && tiny.decisions.last?.reason == "HEVC needs 16 pixels on each side")
    }
}
