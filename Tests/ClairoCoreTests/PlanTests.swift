import ClairoCore
import Foundation
import Testing

@Suite struct PlanTests {
    private static let rung = Rung(
        id: "720p", size: FrameSize(width: 1280, height: 720), maxRate: 4_000_000, bufferSize: 4_000_000)

    private static func plan(video: Bool = true, audio: [Int] = [96_000]) -> Plan {
        let grid = SegmentGrid(frameRate: Rational(25), frameCount: 200)
        return Plan(
            source: SourceFingerprint(name: "a.mov", size: 7, identity: "00"), settings: TranscodeSettings(),
            origin: .zero,
            video: video
                ? VideoPlan(
                    streamIndex: 0, grid: grid, sourceFrameCount: 200, orientation: .upright, deinterlace: false,
                    dynamicRange: .sdr, color: .unspecified, segmentsPerEncoder: 1, isSeekable: true, rungs: [rung],
                    decisions: [])
                : nil,
            audio: audio.map {
                AudioPlan(
                    streamIndex: 1, language: "und", title: nil, channels: 2, bitRate: 128_000, sampleCount: $0,
                    segmentBoundaries: [Rational(6)])
            },
            chunks: [Chunk(index: 0, segments: 0..<2, seekTimestamp: nil)],
            prediction: Prediction(bytes: 1, cpuSeconds: 2))
    }

    @Test func keysAreInTheRungsFolder() {
        #expect(Self.rung.initKey == "video/720p/init.mp4")
        #expect(Self.rung.playlistKey == "video/720p/playlist.m3u8")
        #expect(Self.rung.iframePlaylistKey == "video/720p/iframes.m3u8")
        #expect(Self.rung.mp4Key == "mp4/720p.mp4")
    }

    @Test(arguments: [(0, "00001"), (8, "00009"), (99_998, "99999"), (99_999, "100000"), (1_234_566, "1234567")])
    func segmentsAreNamedFromOneWithAtLeastFiveDigits(index: Int, name: String) {
        #expect(Self.rung.segmentKey(index) == ObjectKey("video/720p/\(name).m4s"))
    }

    @Test func everyObjectOfThePlaylistsIsListed() {
        #expect(
            Self.plan().segmentKeys == [
                "video/720p/init.mp4", "video/720p/00001.m4s", "video/720p/00002.m4s", "audio/und-aac-128k/init.mp4",
                "audio/und-aac-128k/00001.m4s", "audio/und-aac-128k/00002.m4s",
            ])
    }

    @Test func videoSetsTheDurationAndAudioOnlyWithoutVideo() {
        #expect(Self.plan(audio: [960_000]).duration == Rational(8))
        #expect(Self.plan(video: false, audio: [48_000, 96_000]).duration == Rational(2))
        #expect(Self.plan(video: false, audio: []).duration == .zero)
    }

    @Test func planSurvivesAJSONRoundTrip() throws {
        let plan = Self.plan()
        #expect(try JSONDecoder().decode(Plan.self, from: JSONEncoder().encode(plan)) == plan)
    }

    @Test func shortSideIsTheWidthInPortrait() {
        #expect(FrameSize(width: 1080, height: 1920).shortSide == 1080)
        #expect(FrameSize(width: 1920, height: 1080).description == "1920x1080")
    }

    @Test func reportWithoutChecksHasNotPassed() throws {
        let good = VerificationReport.Check(name: "codec", subject: "720p", passed: true, detail: "")
        let bad = VerificationReport.Check(name: "size", subject: "720p", passed: false, detail: "1 instead of 2")
        #expect(!VerificationReport().passed)
        #expect(VerificationReport(checks: [good]).passed)
        let report = VerificationReport(checks: [good, bad])
        #expect(!report.passed)
        #expect(report.problems == [bad])
        let json = try JSONEncoder().encode(report)
        #expect(String(decoding: json, as: UTF8.self).contains(#""passed":false"#))
        #expect(try JSONDecoder().decode(VerificationReport.self, from: json) == report)
    }
}
