import ClairoCore
import ClairoMedia
import ClairoTestSupport
import Foundation
import Testing

/// Frame `k` of the output shows frame `k` of the source, for any number of encoders: clips with numbered frames are
/// transcoded by a whole job and read with an independent decoder.
@Suite(.sharesMachine) struct FrameGridTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    static let heights = TranscodeSettings.quick.with { $0.heights = [180, 144, 96] }
    /// So little work per chunk that every segment is one chunk.
    static let manyChunks = heights.with { $0.chunkCPUSeconds = 0.001 }

    /// Describes wrong frame numbers briefly. Empty if all are right.
    private func wrong(_ found: [Int], _ expected: [Int]) -> String {
        let places = zip(found, expected).enumerated().filter { $0.element.0 != $0.element.1 }
        let samples = places.prefix(4).map { "frame \($0.offset) shows \($0.element.0) instead of \($0.element.1)" }
        let count = found.count == expected.count ? [] : ["\(found.count) frames instead of \(expected.count)"]
        return (count + (places.isEmpty ? [] : ["\(places.count) are wrong"]) + samples).joined(separator: "; ")
    }

    @Test(arguments: ["25", "30000/1001", "24000/1001"], [1, 4])
    func everyFrameOfEveryRungShowsItsOwnNumber(rate: String, jobs: Int) async throws {
        let clip = Clip(rate: rate, seconds: 9.1, video: .numbers)
        let output = try await Transcoded(
            clip.make(), into: scratch.path("out"), settings: Self.manyChunks,
            resources: TranscodeResources(jobs: jobs))
        let video = try #require(output.plan.video)
        #expect(video.grid.segmentCount == 5)
        #expect(output.plan.chunks.count == 5)
        #expect(output.rungs.map(\.id) == ["180p", "144p", "96p"])
        let expected = Array(0..<clip.frameCount)
        for rung in output.rungs {
            #expect(
                wrong(try await FrameNumbers.read(output.path(rung.playlistKey)), expected) == "", "\(rung.id) as HLS"
            )
            #expect(wrong(try await FrameNumbers.read(output.path(rung.mp4Key)), expected) == "", "\(rung.id) as MP4")
        }
    }

    @Test(arguments: ["mkv", "mp4"])
    func seekingIntoLongGOPsWithBFramesLosesNoFrame(suffix: String) async throws {
        let clip = Clip(
            seconds: 9, video: .numbers,
            options: ["-preset", "medium", "-g", "60", "-bf", "3", "-sc_threshold", "0"],
            suffix: suffix)
        let output = try await Transcoded(
            clip.make(), into: scratch.path("out"), settings: Self.manyChunks,
            resources: TranscodeResources(jobs: 4))
        #expect(output.plan.chunks.contains { $0.seekTimestamp != output.plan.chunks.first?.seekTimestamp })
        for rung in output.rungs {
            let numbers = try await FrameNumbers.read(output.path(rung.playlistKey))
            #expect(wrong(numbers, Array(0..<clip.frameCount)) == "", "\(rung.id)")
        }
    }

    @Test func aTrimmedOutputBeginsAndEndsOnTheRequestedFrames() async throws {
        let clip = Clip(seconds: 9, video: .numbers)
        let output = try await Transcoded(
            clip.make(), into: scratch.path("out"),
            settings: Self.heights.with {
                $0.start = Rational(3)
                $0.duration = Rational(4)
            })
        for rung in output.rungs {
            let numbers = try await FrameNumbers.read(output.path(rung.mp4Key))
            #expect(wrong(numbers, Array(75..<175)) == "", "\(rung.id)")
        }
    }

    @Test func aVariableFrameRateBecomesConstantAndFramesKeepTheirTimes() async throws {
        // Half a second without a frame, and sometimes every fifth frame dropped: the last frame stays visible.
        let dropped: @Sendable (Int) -> Bool = { ($0 >= 40 && $0 < 52) || ($0 > 60 && $0 % 5 == 2) }
        let clip = Clip(
            seconds: 6, video: .numbers, filter: "select='not(between(n,40,51)+gt(n,60)*eq(mod(n,5),2))'",
            options: ["-fps_mode", "vfr"])
        let output = try await Transcoded(clip.make(), into: scratch.path("out"), settings: Self.heights)
        let grid = try #require(output.plan.video?.grid)
        #expect(grid.frameRate == Rational(25))
        var shown = 0
        let expected = (0..<clip.frameCount).map { number in
            if !dropped(number) { shown = number }
            return shown
        }
        for rung in output.rungs {
            #expect(wrong(try await FrameNumbers.read(output.path(rung.playlistKey)), expected) == "", "\(rung.id)")
            let times = try await Oracle.probe(output.path(rung.mp4Key), "packets", "-select_streams", "v")
                .compactMap { $0["pts"].flatMap { Int($0) } }.sorted()
            #expect(Set(zip(times.dropFirst(), times).map { $0 - $1 }).count == 1, "\(rung.id) is not constant")
        }
    }

    @Test func irregularTimestampsAreConformedWithoutChangingTheDuration() async throws {
        let clip = Clip(
            seconds: 6, video: .numbers, filter: "settb=1/1000,setpts='(N+0.45*sin(N*1.7))*40'",
            options: ["-fps_mode", "vfr", "-enc_time_base", "1:1000", "-video_track_timescale", "1000"])
        let source = try await clip.make()
        #expect(try await probe(source).primaryVideo?.isVariableFrameRate == true)
        let output = try await Transcoded(source, into: scratch.path("out"), settings: Self.heights)
        #expect(abs(output.plan.duration.doubleValue - 6) < 0.05)
        let numbers = try await FrameNumbers.read(output.path(try #require(output.rungs.first).playlistKey))
        #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $0 <= $1 })
        // At most one frame away from its time in the source.
        #expect(numbers.enumerated().allSatisfy { abs($0.element - $0.offset) <= 1 })
    }

    @Test func everySecondFrameOfA120FPSSourceIsShown() async throws {
        let clip = Clip(rate: "120", seconds: 2, video: .numbers)
        let output = try await Transcoded(clip.make(), into: scratch.path("out"), settings: Self.heights)
        #expect(output.plan.video?.grid.frameRate == Rational(60))
        let numbers = try await FrameNumbers.read(output.path(try #require(output.rungs.last).playlistKey))
        #expect(numbers.count == 120)
        #expect(Set(zip(numbers.dropFirst(), numbers).map { $0 - $1 }) == [2])
        #expect(try #require(numbers.first) <= 1)
    }

    /// Including widths that are not a multiple of eight macroblocks, for which x264's AVX-512 code once read stale
    /// memory.
    @Test func oneAndFourParallelChunksProduceTheSameBytes() async throws {
        let source = try await Clip(width: 640, height: 360, seconds: 9).make()
        let settings = Self.manyChunks.with {
            $0.heights = [360, 240, 180]
            $0.preset = "veryfast"
        }
        var made: [Int: [String: Data]] = [:]
        for jobs in [1, 4] {
            let output = try await Transcoded(
                source, into: scratch.path("jobs-\(jobs)"), settings: settings,
                resources: TranscodeResources(jobs: jobs))
            made[jobs] = try contents(below: output.folder)
        }
        #expect(made[1]?.keys.sorted() == made[4]?.keys.sorted())
        let different = made[1]?.filter { made[4]?[$0.key] != $0.value }.keys.sorted()
        #expect(different == [])
    }

    @Test(arguments: ["25", "30000/1001"])
    func everyRungHasKeyFramesAtTheSameTimes(rate: String) async throws {
        let clip = Clip(rate: rate, seconds: 13)
        let output = try await Transcoded(
            clip.make(), into: scratch.path("out"), settings: Self.heights.with { $0.segmentSeconds = 6 })
        let grid = try #require(output.plan.video?.grid)
        let expected = stride(from: 0, to: grid.frameCount, by: grid.gopFrames).map {
            grid.time(ofFrame: $0).doubleValue
        }
        #expect(grid.segmentFrames == 3 * grid.gopFrames)
        for rung in output.rungs {
            let packets = try await Oracle.probe(output.path(rung.playlistKey), "packets", "-select_streams", "v")
            let keys = packets.filter { $0["flags"]?.hasPrefix("K") == true }.compactMap {
                $0["pts_time"].flatMap { Double($0) }
            }
            #expect(keys.count == expected.count)
            #expect(zip(keys, expected).allSatisfy { abs($0 - $1) < 0.0005 }, "\(rung.id): \(keys)")
        }
    }

    @Test func everySegmentBeginsWithAnIDRAndDecodesIndependently() async throws {
        let output = try await Transcoded(
            Clip(seconds: 9, video: .numbers).make(), into: scratch.path("out"),
            settings: Self.heights.with { $0.preset = "medium" })
        let grid = try #require(output.plan.video?.grid)
        for rung in output.rungs {
            let head = try Data(contentsOf: URL(fileURLWithPath: output.path(rung.initKey)))
            for index in 0..<grid.segmentCount {
                let segment = try Data(contentsOf: URL(fileURLWithPath: output.path(rung.segmentKey(index))))
                let alone = scratch.path("alone.mp4")
                try (head + segment).write(to: URL(fileURLWithPath: alone))
                #expect(try await Oracle.complaints(alone) == "")
                #expect(try await FrameNumbers.read(alone) == Array(grid.frames(ofSegment: index)))
                let first = try await Oracle.probe(
                    alone, "frames", "-read_intervals", "%+#1", "-show_entries", "frame=key_frame,pict_type")
                #expect(first.first?["key_frame"] == "1" && first.first?["pict_type"] == "I")
            }
        }
    }
}
