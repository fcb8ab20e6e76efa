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

    @Test func warningsAreRecordedBeforeTheSegmentsTheyAreAbout() throws {
        let known = MediaWarning(.trackUnused, "a track")
        let found = MediaWarning(.samplesClipped, "some samples")
        let manifest = try OutputManifest(of: .sample(chunks: 1, segmentsPerChunk: 1), warnings: [known])
        try store.put(JSON.encode(manifest), at: OutputLayout.manifest)
        let control = JobControl()
        let sink = SegmentSink(
            store: store, manner: .resuming, control: control, journal: WarningJournal(store: store, manifest: manifest)
        )
        func recorded() throws -> OutputManifest {
            try JSONDecoder().decode(OutputManifest.self, from: store.get(OutputLayout.manifest))
        }
        try sink.write(initSegment: Data([1]), at: "video/180p/init.mp4")
        #expect(try recorded() == manifest)
        control.warn(found)
        control.warn(known)
        try sink.write(initSegment: Data([1]), at: "video/96p/init.mp4")
        #expect(try recorded().warnings == [known, found])
        control.noteDamage()
        try sink.write(initSegment: Data([1]), at: "video/64p/init.mp4")
        let last = try recorded()
        #expect(last.warnings.map(\.code) == [.trackUnused, .samplesClipped, .damaged])
        #expect(last.planID == manifest.planID && last.state == .running)
        // Once the run is complete, the number of errors is known.
        #expect(control.warnings == [found, known])
    }
}
