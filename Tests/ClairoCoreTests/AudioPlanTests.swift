import ClairoCore
import Testing

@Suite struct AudioPlanTests {
    private static func plan(samples: Int, boundaries: [Rational] = [], bitRate: Int64 = 128_000) -> AudioPlan {
        AudioPlan(
            streamIndex: 1, language: "eng", title: nil, channels: 2, bitRate: bitRate, sampleCount: samples,
            segmentBoundaries: boundaries)
    }

    @Test(arguments: [(0, 1), (1, 2), (1023, 2), (1024, 2), (1025, 3), (48_000, 48)])
    func onePrimingUnitPrecedesTheUnitsOfTheSamples(samples: Int, packets: Int) {
        #expect(Self.plan(samples: samples).packetCount == packets)
        #expect(Self.plan(samples: samples).packets(ofSegment: 0) == 0..<packets)
    }

    /// Unit `n` begins at sample `(n - 1) · 1024`; the boundary unit is the first that begins at or after the boundary.
    @Test(arguments: [
        (Rational(1024, 48_000), 2), (Rational(1023, 48_000), 2), (Rational(1025, 48_000), 3), (Rational(6), 283),
        (Rational(6006, 1000), 283), (Rational(1, 48_000), 2), (.zero, 1), (Rational(1_000_000), 470),
    ])
    func segmentBeginsWithTheFirstUnitAtItsBoundary(boundary: Rational, unit: Int) {
        let plan = Self.plan(samples: 480_000, boundaries: [boundary])
        #expect(plan.packets(ofSegment: 0) == 0..<unit)
        #expect(plan.packets(ofSegment: 1) == unit..<plan.packetCount)
    }

    @Test(arguments: [
        Rational(24000, 1001), Rational(25), Rational(30000, 1001), Rational(60000, 1001), Rational(25, 2), Rational(1),
    ])
    func segmentsPartitionAllUnits(rate: Rational) {
        for frames in [1, 2, 149, 150, 151, 999] {
            let grid = SegmentGrid(frameRate: rate, frameCount: frames)
            let boundaries = (1..<max(grid.segmentCount, 1)).map {
                grid.time(ofFrame: grid.frames(ofSegment: $0).lowerBound)
            }
            let covered = (grid.duration * Rational(48_000)).ceil
            // Audio may end before, with or shortly after the video.
            for samples in [Int(covered), Int(covered) - 1, Int(covered) + 4800, Int(covered) / 2] {
                let plan = Self.plan(samples: samples, boundaries: boundaries)
                let units = (0..<plan.segmentCount).flatMap { Array(plan.packets(ofSegment: $0)) }
                #expect(units == Array(0..<plan.packetCount))
                for (index, boundary) in boundaries.enumerated() where !plan.packets(ofSegment: index + 1).isEmpty {
                    let start = Rational(Int64(plan.packets(ofSegment: index + 1).lowerBound - 1) * 1024, 48_000)
                    #expect(start >= boundary && start - boundary < Rational(1024, 48_000))
                }
            }
        }
    }

    @Test func anUnrepresentableBoundaryIsTheEnd() {
        let plan = Self.plan(samples: 48_000, boundaries: [Rational(.max)])
        #expect(plan.packets(ofSegment: 0) == 0..<plan.packetCount)
        #expect(plan.packets(ofSegment: 1).isEmpty)
    }

    @Test func theIDAndTheKeysAreDerivedFromLanguageFormatAndBitRate() {
        let plan = Self.plan(samples: 1, bitRate: 64_000)
        #expect(plan.id == "eng-aac-64k")
        #expect(plan.initKey == "audio/eng-aac-64k/init.mp4")
        #expect(plan.playlistKey == "audio/eng-aac-64k/playlist.m3u8")
        #expect(plan.segmentKey(0) == "audio/eng-aac-64k/00001.m4s")
        #expect(Self.plan(samples: 24_000).duration == Rational(1, 2))
    }

    /// The delay of two frames at 30000/1001 per second, 3203.2 samples.
    @Test func silenceAfterThePrimingGivesAudioTheDelayOfTheVideo() {
        var plan = Self.plan(samples: 48_000, boundaries: [Rational(6, 10)])
        plan.presentationDelay = 3203
        #expect(plan.delay == 3203 && plan.leadingSilence == 3203 - 1024)
        #expect(plan.packetCount == (3203 + 48_000 + 1023) / 1024)
        // The first unit that begins at or after the boundary.
        let first = plan.packets(ofSegment: 1).lowerBound
        #expect(first * 1024 - 3203 >= 28_800 && (first - 1) * 1024 - 3203 < 28_800)
        // Priming cannot be left out.
        plan.presentationDelay = 100
        #expect(plan.delay == 1024 && plan.leadingSilence == 0)
    }
}
