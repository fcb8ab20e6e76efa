import ClairoCore
import Testing

@testable import ClairoMedia

/// Audio has the delay of the video and ends no later.
@Suite struct PresentationDelayTests {
    private static func video(rate: Rational, frames: Int, delay: Int? = 2) -> VideoPlan {
        VideoPlan(
            streamIndex: 0, grid: SegmentGrid(frameRate: rate, frameCount: frames), sourceFrameCount: frames,
            orientation: .upright, deinterlace: false, dynamicRange: .sdr, color: .unspecified,
            segmentsPerEncoder: 1, isSeekable: true, rungs: [], decisions: [], presentationDelay: delay)
    }

    private static func audio(_ format: AudioFormat, covering video: VideoPlan) -> AudioPlan {
        AudioPlan(
            format: format, streamIndex: 1, language: "eng", title: nil, channels: 2, bitRate: 128_000,
            sampleCount: Int((video.grid.duration * Rational(48_000)).ceil), segmentBoundaries: [])
    }

    @Test(arguments: [
        Rational(24000, 1001), Rational(25), Rational(30000, 1001), Rational(60), Rational(10), Rational(1),
    ])
    func audioConsistsOfWholeUnitsAndEndsWithinOneBeforeTheVideo(rate: Rational) {
        for format in AudioFormat.allCases {
            for frames in [7, 150, 151, 1000] {
                let video = Self.video(rate: rate, frames: frames)
                var track = Self.audio(format, covering: video)
                track.accompany(video)
                let delay = Rational(2) / rate * Rational(48_000)
                #expect(abs((Rational(Int64(track.delay)) - delay).doubleValue) <= 0.5)
                #expect((track.delay + track.sampleCount) % track.frameSamples == 0)
                let rest = (video.grid.duration - track.duration).doubleValue
                #expect(rest >= 0 && rest < track.unitDuration.doubleValue, "\(format) with \(frames) frames")
            }
        }
    }

    @Test func aVideoOfOneFrameHasAudio() {
        let video = Self.video(rate: Rational(60), frames: 1)
        var track = Self.audio(.aac, covering: video)
        track.accompany(video)
        #expect(track.sampleCount > 0 && (track.delay + track.sampleCount) % 1024 == 0)
    }

    @Test func aPlanOfAnOlderVersionKeepsItsAudio() {
        let video = Self.video(rate: Rational(25), frames: 100, delay: nil)
        var track = Self.audio(.aac, covering: video)
        let before = track
        track.accompany(video)
        #expect(track == before)
    }
}
