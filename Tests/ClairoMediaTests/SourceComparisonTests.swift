import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

@testable import ClairoMedia

/// A job reports what it found in its source, and a run that continues keeps what the earlier run found.
@Suite(.ownThreads) struct SourceComparisonTests {
    private let store = MemoryStore()
    private static let gif = MemoryMedia.gif(width: 160, height: 90, grey: (0..<25).map { UInt8($0 * 10) })
    private static let wav = MemoryMedia.wav(samples: 20_000)

    private func transcode(_ source: Data, force: Bool = false) async throws -> TranscodeJob.Outcome {
        let job = TranscodeJob(
            source: MemorySource(source), sourceName: "source",
            settings: TranscodeSettings(preset: "ultrafast", segmentSeconds: 2),
            resources: TranscodeResources(force: force), store: store)
        return try await onDedicatedThread(name: "test job") { try job.run() }
    }

    private func detail(_ name: String, _ report: VerificationReport?) -> String? {
        report?.checks.first { $0.name == name }?.detail
    }

    /// Makes the finished output look like that of a run that was stopped at its end.
    private func reopen(_ manifest: OutputManifest, warnings: [MediaWarning]) throws {
        var running = manifest
        running.state = .running
        running.warnings += warnings
        try store.put(JSON.encode(running), at: OutputLayout.manifest)
        try store.delete(OutputLayout.masterPlaylist)
    }

    @Test func theReportNamesTheFramesOfTheSource() async throws {
        let outcome = try await transcode(Self.gif)
        #expect(
            detail("source-frames", outcome.verification)
                == "25 frames in the source, 25 decoded, 25 shown, 0 dropped by the frame rate, 0 repeated")
        #expect(detail("source-duration", outcome.verification) == "2.50 s of the source, 2.50 s written")
        #expect(outcome.verification?.passed == true)
    }

    @Test func theReportNamesTheAudioOfTheSource() async throws {
        let outcome = try await transcode(Self.wav)
        let audio = try #require(detail("source-audio", outcome.verification))
        #expect(audio.hasPrefix("2.50 s decoded, 2.5") && audio.hasSuffix(" s written"), "\(audio)")
        #expect(detail("source-duration", outcome.verification)?.hasPrefix("2.50 s of the source, ") == true)
    }

    @Test func aLaterVerificationComparesWithThePlan() async throws {
        _ = try await transcode(Self.gif)
        let store = store
        let report = try await onDedicatedThread(name: "test verify") { try Verifier(store: store).run() }
        #expect(detail("source-frames", report) == "25 frames of the source make 25 frames")
    }

    @Test func aRunThatContinuesKeepsTheWarningsOfTheEarlierOne() async throws {
        let first = try await transcode(Self.wav)
        let warning = MediaWarning(.samplesClipped, "3 audio samples are not numbers")
        try reopen(first.manifest, warnings: [warning])
        let second = try await transcode(Self.wav)
        #expect(second.resumedSegments > 0)
        #expect(second.manifest.warnings == first.manifest.warnings + [warning])
        let audio = detail("source-audio", second.verification)
        #expect(audio?.hasPrefix("not counted, because the run continued") == true, "\(audio ?? "")")

        let third = try await transcode(Self.wav, force: true)
        #expect(third.manifest.warnings == first.manifest.warnings)
    }

    @Test func warningsAndCountsAreRecordedBeforeTheSegmentsTheyAreAbout() throws {
        let known = MediaWarning(.trackUnused, "a track")
        let found = MediaWarning(.samplesClipped, "some samples")
        let manifest = try OutputManifest(of: .sample(chunks: 1, segmentsPerChunk: 1), warnings: [known])
        try store.put(JSON.encode(manifest), at: OutputLayout.manifest)
        let control = JobControl()
        let expected = (0..<3).map { SegmentCounts(segment: $0, decoded: 50, shown: 50) }
        let sink = SegmentSink(
            store: store, manner: .resuming, control: control,
            journal: WarningJournal(store: store, manifest: manifest, expected: expected))
        func recorded() throws -> OutputManifest {
            try JSONDecoder().decode(OutputManifest.self, from: store.get(OutputLayout.manifest))
        }
        try sink.write(initSegment: Data([1]), at: "video/180p/init.mp4")
        #expect(try recorded() == manifest)
        control.warn(found)
        control.warn(known)
        try sink.write(initSegment: Data([1]), at: "video/96p/init.mp4")
        #expect(try recorded().warnings == [known, found])
        // What is as expected need not be recorded.
        control.count(expected[0])
        try sink.write(initSegment: Data([1]), at: "video/72p/init.mp4")
        #expect(try recorded().counts == nil)
        let damaged = SegmentCounts(segment: 1, decoded: 40, errors: 10, shown: 40)
        control.count(damaged)
        try sink.write(initSegment: Data([1]), at: "video/64p/init.mp4")
        let last = try recorded()
        #expect(last.counts == [damaged])
        #expect(last.warnings == [known, found])
        #expect(last.planID == manifest.planID && last.state == .running)
    }

    @Test func framesAndErrorsAreCountedInTheSegmentsTheyBelongTo() {
        let grid = SegmentGrid(frameRate: Rational(25), frameCount: 150, segmentSeconds: 2)
        let control = JobControl()
        var counts = RunCounts(frames: 50..<150, grid: grid, control: control)
        // A frame before the run, with an error that belongs there too.
        counts.countErrors(1, at: 49)
        counts.countDecoded(at: 49)
        for position in 50..<150 where position != 60 && position != 120 {
            // The frame before 61 is missing, and so is that before 121.
            counts.countErrors(position > 120 ? 3 : position > 60 ? 2 : 1, at: position > 120 ? 120 : 60)
            counts.countDecoded(at: position)
            counts.countShown(at: position)
            counts.close(before: position)
        }
        #expect(control.segmentCounts == [SegmentCounts(segment: 1, decoded: 49, errors: 1, shown: 49)])
        counts.closeAll()
        #expect(
            Set(control.segmentCounts) == [
                SegmentCounts(segment: 1, decoded: 49, errors: 1, shown: 49),
                SegmentCounts(segment: 2, decoded: 49, errors: 1, shown: 49),
            ])
    }
}
