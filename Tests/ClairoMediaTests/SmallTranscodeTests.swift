import ClairoCore
import ClairoTestSupport
import Foundation
import Libav
import Testing

@testable import ClairoMedia

/// Complete transcodes in memory, without programs or files: a small version of the integration tests.
@Suite(.ownThreads) struct SmallTranscodeTests {
    private let store = MemoryStore()

    private func transcode(_ source: Data, name: String) async throws -> TranscodeJob.Outcome {
        let job = TranscodeJob(
            source: MemorySource(source), sourceName: name,
            settings: TranscodeSettings(preset: "ultrafast", segmentSeconds: 1), store: store)
        return try await onDedicatedThread(name: "test job") { try job.run() }
    }

    /// The media info of the only progressive MP4 in the output.
    private func demuxer(_ manifest: OutputManifest) throws -> Demuxer {
        let keys = manifest.files.map(\.key).filter { $0.hasPrefix("mp4/") }
        #expect(keys.count == 1)
        return try Demuxer(
            SourceBytes(store.open(ObjectKey(try #require(keys.first)))), options: InputLimits().demuxerOptions)
    }

    @Test func theOutputOfAShortClipShowsTheSameFrames() async throws {
        let grey = (0..<25).map { UInt8($0 * 10) }
        let outcome = try await transcode(MemoryMedia.gif(width: 160, height: 90, grey: grey), name: "ramp.gif")
        #expect(outcome.manifest.state == .complete && outcome.verification?.passed == true)
        #expect(outcome.manifest.renditions.filter { $0.kind == .video }.map(\.frameCount) == [grey.count])
        let master = String(decoding: try store.get("master.m3u8"), as: UTF8.self)
        #expect(master.contains("RESOLUTION=160x90"))
        let frames = try demuxer(outcome.manifest).frames()
        #expect(frames.map(\.width) == grey.map { _ in 160 })
        for (frame, level) in zip(frames, grey) {
            // A GIF has full range, the output limited range.
            let expected = 16 + Double(level) * 219 / 255
            let shown = try #require(frame.withRow(plane: 0, row: 45, width: 160) { Double($0[80]) })
            #expect(abs(shown - expected) < 6, "\(level) became \(shown)")
        }
    }

    @Test func anAudioOnlyOutputKeepsItsDuration() async throws {
        let outcome = try await transcode(MemoryMedia.wav(samples: 20_000), name: "saw.wav")
        #expect(outcome.manifest.state == .complete && outcome.verification?.passed == true)
        #expect(outcome.manifest.renditions.map(\.kind) == [.audio])
        #expect(abs(try #require(outcome.manifest.renditions.first?.duration) - 2.5) < 0.01)
        let samples = try demuxer(outcome.manifest).frames().reduce(0) { $0 + $1.sampleCount }
        #expect(Double(samples) > 2.5 * 48_000)
    }
}
