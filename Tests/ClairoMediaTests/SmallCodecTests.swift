import ClairoCore
import ClairoTestSupport
import Foundation
import Libav
import Testing

@testable import ClairoMedia

/// Complete transcodes with all video codecs in memory, without programs or files.
@Suite(.ownThreads) struct SmallCodecTests {
    private static let settings = TranscodeSettings(
        preset: "ultrafast", segmentSeconds: 2, codecs: VideoCodec.allCases)
    private static let grey = (0..<45).map { UInt8($0 * 5) }

    private func transcode(
        _ source: Data, name: String = "ramp.gif", settings: TranscodeSettings = settings, into store: MemoryStore
    ) async throws -> TranscodeJob.Outcome {
        let job = TranscodeJob(source: MemorySource(source), sourceName: name, settings: settings, store: store)
        return try await onDedicatedThread(name: "test job") { try job.run() }
    }

    /// Two segments of one GOP and a quarter, so that the encoders reorder frames and begin new GOPs.
    @Test func eachCodecShowsTheSameFramesAndGivesTheSameBytesAgain() async throws {
        let gif = MemoryMedia.gif(width: 160, height: 90, grey: Self.grey)
        let store = MemoryStore()
        let outcome = try await transcode(gif, into: store)
        #expect(outcome.verification?.passed == true)
        let video = try #require(outcome.manifest.plan.video)
        #expect(video.rungs.map(\.id) == ["90p", "90p-hevc", "90p-av1"])
        #expect(video.rungs.map(\.wave) == [0, 1, 2])
        #expect(outcome.manifest.plan.chunks.map(\.wave) == [0, 1, 2])
        #expect(
            outcome.manifest.renditions.filter { $0.kind == .video }.map { $0.codec.prefix(5) } == [
                "avc1.", "hvc1.", "av01.",
            ])
        for rung in video.rungs {
            let segments = try (0..<video.grid.segmentCount).map { try store.get(rung.segmentKey($0)) }
            let samples = try segments.flatMap { try FragmentReader.fragments(of: $0) }.reduce(0) {
                $0 + $1.samples.count
            }
            #expect(samples == Self.grey.count, "\(rung.id)")
            let shown = try Demuxer(
                InMemoryBytes(segments.reduce(store.get(rung.initKey), +)), options: InputLimits().demuxerOptions
            ).frames()
            #expect(shown.count == Self.grey.count, "\(rung.id)")
            for (frame, level) in zip(shown, Self.grey) {
                let expected = 16 + Double(level) * 219 / 255
                // AV1 has 10 bits, in two bytes each.
                let luma = try #require(
                    frame.bitDepth == 8
                        ? frame.withRow(plane: 0, row: 45, width: 160) { Double($0[80]) }
                        : frame.withRow(plane: 0, row: 45, width: 320) {
                            (Double($0[160]) + Double($0[161]) * 256) / 4
                        })
                #expect(abs(luma - expected) < 8, "\(rung.id): \(level) became \(luma)")
            }
        }

        let again = MemoryStore()
        _ = try await transcode(gif, into: again)
        for key in video.renditions.flatMap(\.objectKeys) { #expect(try again.get(key) == store.get(key), "\(key)") }

        // What was made has the format of a rung, and can be copied.
        for codec in [VideoCodec.hevc, .av1] {
            let file = try store.get(OutputLayout.progressive(.video, Rung.id(shortSide: 90, codec: codec)))
            var settings = Self.settings
            (settings.codecs, settings.copyCompatible) = ([codec], true)
            let copy = MemoryStore()
            let copied = try await transcode(file, name: "clip.mp4", settings: settings, into: copy)
            #expect(copied.verification?.passed == true)
            let rung = try #require(copied.manifest.plan.video?.rungs.first)
            let reasons = copied.manifest.plan.video?.decisions.map(\.reason) ?? []
            #expect(rung.isCopy && rung.codec == codec, "\(reasons)")
            // The rate of a copy is not stated.
            #expect(
                try InitSegment.configuration(of: copy.get(rung.initKey), codec: codec)
                    == InitSegment.configuration(of: store.get(rung.initKey), codec: codec))
            #expect(try copy.get(rung.segmentKey(1)) == store.get(rung.segmentKey(1)))
        }
    }

    @Test(arguments: [0, 0.5, 51]) func everyQualityIsMade(quality: Double) async throws {
        let gif = MemoryMedia.gif(width: 160, height: 90, grey: [0, 100, 200])
        var settings = Self.settings
        settings.quality = quality
        #expect(try await transcode(gif, settings: settings, into: MemoryStore()).verification?.passed == true)
    }
}
