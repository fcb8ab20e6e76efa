import ClairoCore
import Testing

/// The access units of codecs whose priming is shorter than an access unit.
@Suite struct AudioPacketTests {
    private static func plan(_ format: AudioFormat, samples: Int, boundaries: [Rational] = []) -> AudioPlan {
        AudioPlan(
            format: format, streamIndex: 1, language: "eng", title: nil, channels: format.isSurround ? 6 : 2,
            bitRate: 384_000, sampleCount: samples, segmentBoundaries: boundaries)
    }

    /// 256 samples of priming and units of 1536; 312 and 960.
    @Test(arguments: [
        (AudioFormat.ac351, 1280, 1), (.ac351, 1281, 2), (.eac351, 48_000, 32), (.eac351, 153_600, 101),
        (.opus, 648, 1), (.opus, 649, 2), (.opus, 48_000, 51), (.aac51, 1024, 2),
    ])
    func unitsCoverPrimingAndSamples(format: AudioFormat, samples: Int, count: Int) {
        #expect(Self.plan(format, samples: samples).packetCount == count)
    }

    @Test(arguments: AudioFormat.allCases)
    func segmentsBeginWithTheFirstUnitAtTheirBoundary(format: AudioFormat) {
        let boundaries = (1..<5).map { Rational(Int64($0) * 6006, 1000) }
        let plan = Self.plan(format, samples: 1_440_000, boundaries: boundaries)
        let units = (0..<plan.segmentCount).flatMap { Array(plan.packets(ofSegment: $0)) }
        #expect(units == Array(0..<plan.packetCount))
        for (index, boundary) in boundaries.enumerated() {
            let sample = plan.packets(ofSegment: index + 1).lowerBound * plan.frameSamples - plan.priming
            let late = Rational(Int64(sample), 48_000) - boundary
            #expect(late >= .zero && late < plan.unitDuration)
        }
    }

    @Test func anIDNamesLanguageRoleFormatAndRate() {
        #expect(AudioPlan.id(language: "eng", role: .main, format: .aac, bitRate: 128_000) == "eng-aac-128k")
        #expect(
            AudioPlan.id(language: "fra", role: .commentary, number: 2, format: .eac351, bitRate: 384_000)
                == "fra-commentary-2-eac3-5.1-384k")
    }

    @Test func aProgressiveFileHasEachTrackOfTheSourceOnce() {
        func track(
            _ stream: Int, _ format: AudioFormat, bitRate: Int64, language: String = "eng", id: String? = nil
        ) -> AudioPlan {
            AudioPlan(
                id: id, format: format, streamIndex: stream, language: language, title: nil, channels: 2,
                bitRate: bitRate, sampleCount: 1, segmentBoundaries: [])
        }
        let tracks = [
            track(1, .aac, bitRate: 128_000), track(1, .aac, bitRate: 64_000), track(1, .aac51, bitRate: 320_000),
            track(2, .eac351, bitRate: 384_000), track(3, .aac, bitRate: 128_001, language: "fra"),
        ]
        // The surround sound of the same track is of another stream.
        #expect(tracks.progressive == [tracks[0], tracks[4]])
        // Older versions wrote the default track alone, and named it without its format.
        let old = [track(1, .aac, bitRate: 128_000, id: "eng-128k"), track(2, .aac, bitRate: 64_000, id: "eng-64k")]
        #expect(old.progressive == [old[0]])
        #expect(old[0].mp4Key == "mp4/eng-128k.mp4" && tracks[0].mp4Key == "mp4/eng-aac-128k.m4a")
    }
}
