import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

@testable import ClairoMedia

/// A source is copied only if the copy is right; otherwise it is encoded.
@Suite(.ownThreads) struct CopyTests {
    private static let encoding = TranscodeSettings(preset: "ultrafast", segmentSeconds: 2)
    private static let copying = TranscodeSettings(preset: "ultrafast", segmentSeconds: 2, copyCompatible: true)

    /// An MP4 that can be copied: closed GOPs, a constant rate and full tags.
    private struct Source {
        var data: Data
        /// A frame in the middle of the last GOP.
        var sample: Range<Data.Index>
    }

    private func makeSource() async throws -> Source {
        let store = MemoryStore()
        let gif = MemoryMedia.gif(width: 160, height: 90, grey: (0..<25).map { UInt8($0 * 10) })
        let outcome = try await transcode(gif, settings: Self.encoding, into: store)
        let key = try #require(outcome.manifest.files.map(\.key).first { $0.hasPrefix("mp4/") })
        let data = try store.get(ObjectKey(key))
        let video = try #require(outcome.manifest.plan.video)
        let segment = try store.get(try #require(video.rungs.first).segmentKey(video.grid.segmentCount - 1))
        let entry = try #require(try FragmentReader.fragments(of: segment).first?.samples.dropFirst(2).first)
        let bytes = segment.subdata(in: entry.offset..<entry.offset + entry.size)
        return Source(data: data, sample: try #require(data.range(of: bytes, options: .backwards)))
    }

    private func transcode(
        _ data: Data, settings: TranscodeSettings, into store: MemoryStore
    ) async throws -> TranscodeJob.Outcome {
        let job = TranscodeJob(source: MemorySource(data), sourceName: "clip.mp4", settings: settings, store: store)
        return try await onDedicatedThread(name: "test job") { try job.run() }
    }

    private func scan(_ data: Data) async throws -> SourceScan {
        try await onDedicatedThread(name: "test scan") {
            try SourceAnalyzer(source: MemorySource(data), name: "clip.mp4").scan(inspectsCopy: true)
        }
    }

    private func plan(_ scan: SourceScan) throws -> Plan {
        try TranscodePlanner.plan(
            scan: scan, fingerprint: SourceFingerprint(name: "clip.mp4", size: 1, identity: "00"),
            settings: Self.copying)
    }

    private func copies(_ plan: Plan) -> Int { (plan.video?.rungs ?? []).filter(\.isCopy).count }

    /// Writes a slice type that does not exist into a frame, so that it cannot be decoded.
    private func damaged(_ source: Source) -> Data {
        var data = source.data
        data[source.sample.lowerBound + 5] = 0x87
        data[source.sample.lowerBound + 6] = 0xFF
        return data
    }

    @Test func aRightSourceIsCopiedAndCountedAsSuch() async throws {
        let source = try await makeSource()
        let outcome = try await transcode(source.data, settings: Self.copying, into: MemoryStore())
        #expect(copies(outcome.manifest.plan) == 1, "\(outcome.manifest.plan.video?.decisions ?? [])")
        #expect(!outcome.manifest.warnings.contains { $0.code == .copyRefused })
        #expect(outcome.verification?.passed == true)
        #expect(
            outcome.verification?.checks.first { $0.name == "source-frames" }?.detail
                == "25 frames in the source, 25 copied without decoding")
    }

    @Test func aSourceThatCannotBeVerifiedIsEncodedWithAWarning() async throws {
        let source = try await makeSource()
        let outcome = try await transcode(damaged(source), settings: Self.copying, into: MemoryStore())
        let plan = outcome.manifest.plan
        #expect(copies(plan) == 0)
        // A run that continues must find the same settings.
        #expect(plan.settings == Self.copying)
        #expect(plan.video?.decisions.contains { $0.reason.contains("not copied, because its segment 2") } == true)
        let refusal = outcome.manifest.warnings.first { $0.code == .copyRefused }
        #expect(refusal?.message.contains("cannot be verified") == true, "\(outcome.manifest.warnings)")
        #expect(outcome.verification?.passed == true)
    }

    @Test func aPlanTaskRefusesTheSameCopyEachTime() async throws {
        let data = damaged(try await makeSource())
        let job = TaskJob(source: MemorySource(data), name: "clip.mp4", settings: Self.copying)
        let run: TaskJob.Runner = { spec, io in
            try await onDedicatedThread(name: "test task") {
                try MediaTaskEngine().run(spec, io: io, stop: StopRequest())
            }
        }
        let (first, warnings) = try await job.plan(run)
        #expect(copies(first) == 0)
        #expect(warnings.contains { $0.code == .copyRefused })
        let again = try await job.plan(run)
        #expect(again.plan == first)
        #expect(again.warnings == warnings)
    }

    @Test func damagedSamplesAreFoundBeforeThePlanIsAccepted() async throws {
        let source = try await makeSource()
        let intact = try await scan(source.data)
        let accepted = try plan(intact)
        #expect(copies(accepted) == 1)
        var data = source.data
        // A length far beyond the sample.
        data[source.sample.lowerBound] = 0xFF
        let broken = data
        let planned = try await onDedicatedThread(name: "test plan") {
            try CheckedPlan.make(
                scan: intact, fingerprint: SourceFingerprint(name: "clip.mp4", size: 1, identity: "00"),
                settings: Self.copying, source: MemorySource(broken), limits: InputLimits(), control: JobControl())
        }
        #expect(copies(planned.plan) == 0)
        #expect(planned.warnings.map(\.code) == [.copyRefused])
        #expect(planned.warnings.first?.message.hasSuffix("because its samples are damaged") == true)
    }

    @Test func aStoppedCheckIsNoRefusal() async throws {
        let source = try await makeSource()
        let intact = try await scan(source.data)
        let plan = try plan(intact)
        let control = JobControl()
        control.cancel()
        await #expect(throws: ClairoError.cancelled) {
            try await onDedicatedThread(name: "test check") {
                try CopyRung.problem(
                    of: plan, source: MemorySource(source.data), limits: InputLimits(), control: control)
            }
        }
    }

    /// The level is in the configuration record, after its type, and in the sequence parameter set.
    @Test(arguments: [3, 11])
    func aWrongLevelIsNotCopied(offset: Int) async throws {
        var data = try await makeSource().data
        let record = try #require(data.range(of: Data("avcC".utf8))).upperBound
        data[record + offset] = 62
        let scan = try await scan(data)
        let plan = try plan(scan)
        #expect(copies(plan) == 0)
        #expect(
            plan.video?.decisions.contains { $0.reason.contains("level_idc 62 is none of the levels") } == true,
            "\(plan.video?.decisions ?? [])")
    }

    @Test func aColourOtherThanThatOfTheLadderIsNotCopied() async throws {
        let scan = try await scan(makeSource().data)
        let plan = try plan(scan)
        let (video, tagged) = (try #require(plan.video), try #require(scan.info.primaryVideo))
        func judge(_ color: ColorDescription) -> CopyDecision.Judgement {
            var stream = tagged
            stream.color = color
            return CopyDecision(stream: stream, scan: scan, grid: video.grid, origin: plan.origin, isWhole: true)
                .judge(H264.self, cap: 1 << 40)
        }
        let refusal = CopyDecision.Judgement.encode(reason: "its colour is not tagged as that of the other rungs")
        #expect(judge(video.color) == .copy(reorderDelay: 0))
        #expect(judge(OutputColor.bt709) == .copy(reorderDelay: 0))
        #expect(judge(.unspecified) == refusal)
        var other = video.color
        other.transfer = 2
        #expect(judge(other) == refusal)
        other = video.color
        other.isFullRange = true
        #expect(judge(other) == refusal)
    }
}
