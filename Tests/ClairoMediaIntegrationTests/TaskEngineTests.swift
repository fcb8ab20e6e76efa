import ClairoCore
import ClairoStorage
import ClairoTestSupport
import Foundation
import Synchronization
import Testing

@testable import ClairoMedia

/// The tasks of a job, run one by one, give the same result as `TranscodeJob`, and trust only what they must.
@Suite(.sharesMachine) struct TaskEngineTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    static let settings = TranscodeSettings.quick.with {
        $0.heights = [180, 96]
        // So short that every encoder run and every chunk is one segment.
        $0.chunkCPUSeconds = 0.001
    }

    static let engine: TaskJob.Runner = { spec, io in
        try await onDedicatedThread(name: "test task") {
            try MediaTaskEngine().run(spec, io: io, stop: StopRequest())
        }
    }

    private func job(_ clip: Clip, settings: TranscodeSettings = settings) async throws -> TaskJob {
        let source = try await clip.make()
        return TaskJob(
            source: try FileByteSource(path: source.path), name: source.lastPathComponent, settings: settings,
            output: DirectoryStore(root: scratch.url("out")))
    }

    private func verify(_ store: any ObjectStore) async throws -> VerificationReport {
        try await onDedicatedThread(name: "test verify") { try Verifier(store: store).run() }
    }

    @Test(arguments: [
        Clip(seconds: 7), Clip(seconds: 5, audio: .none), Clip(seconds: 5, video: .none, suffix: "m4a"),
        Clip(rate: "30000/1001", seconds: 5, audio: .tone(channels: 1)),
    ])
    func tasksProduceTheBytesOfAWholeJob(clip: Clip) async throws {
        let job = try await job(clip)
        let (plan, results) = try await job.run(Self.engine)
        #expect(plan.chunks.count == plan.video?.grid.segmentCount ?? 0)
        let whole = try await Transcoded(clip.make(), into: scratch.path("whole"), settings: Self.settings)
        let (made, expected) = (try contents(below: scratch.path("out")), try contents(below: whole.folder))
        #expect(made.keys.sorted() == expected.keys.sorted())
        #expect(made.filter { expected[$0.key] != $0.value }.keys.sorted() == [])
        #expect(results.last?.renditions == whole.manifest.renditions)
        #expect(results.last?.renditions.contains { $0.kind == .video } == (clip.video != .none))
        for result in results {
            #expect(result.usage.wallSeconds > 0 && result.usage.cpuSeconds > 0 && result.usage.peakMemory > 1 << 20)
        }
        let decoded = results.reduce(0) { $0 + $1.decodedFrames }
        #expect(decoded == plan.video?.sourceFrameCount ?? 0)
        #expect(results.allSatisfy { $0.decodeErrors == 0 })
    }

    /// A source that can be copied. Without tags, its colour would differ from that of the other rung.
    static let copyable = Clip(
        seconds: 6, audio: .none,
        options: [
            "-bf", "2", "-crf", "45", "-flags", "+cgop", "-x264-params",
            "colorprim=bt709:transfer=bt709:colormatrix=bt709",
        ])
    static let copying = settings.with {
        $0.copyCompatible = true
        $0.heights = [180, 96]
    }

    @Test func theFirstChunkWritesCopiedRungs() async throws {
        let job = try await job(Self.copyable, settings: Self.copying)
        let (plan, _) = try await job.run(Self.engine)
        try #require(plan.video?.rungs.contains { $0.isCopy } == true, "\(plan.video?.decisions ?? [])")
        _ = try await Transcoded(Self.copyable.make(), into: scratch.path("whole"), settings: Self.copying)
        #expect(try contents(below: scratch.path("out")) == contents(below: scratch.path("whole")))
    }

    @Test func checkingASourceThatMayBeCopiedIsProgress() async throws {
        let job = try await job(Self.copyable, settings: Self.copying)
        let seen = Mutex<[Int]>([])
        let shown = Mutex<[JobProgress]>([])
        let observer = TaskObserver(
            progress: { frames in seen.withLock { $0.append(frames) } },
            update: { update in
                if case .progress(let progress) = update { shown.withLock { $0.append(progress) } }
            })
        _ = try await job.plan { spec, io in
            try await onDedicatedThread(name: "test task") {
                try MediaTaskEngine().run(spec, io: io, observer: observer, stop: StopRequest())
            }
        }
        #expect(seen.withLock { $0.sorted() } == Array(1...150))
        let reading = shown.withLock { $0.filter { $0.phase == .reading && $0.framesPlanned == 150 } }
        #expect(reading.map(\.framesDone).max() == 150)
    }

    @Test func progressCountsTheFramesOfAllRungs() async throws {
        let job = try await job(Clip(seconds: 4, audio: .none))
        let (plan, _) = try await job.plan(Self.engine)
        let seen = Mutex<[Int]>([])
        let (spec, io) = (job.spec(.chunk(plan, index: 1)), job.io)
        _ = try await onDedicatedThread(name: "test task") {
            try MediaTaskEngine().run(
                spec, io: io, observer: TaskObserver { frames in seen.withLock { $0.append(frames) } },
                stop: StopRequest())
        }
        #expect(seen.withLock { $0.sorted() } == Array(1...100))
    }

    /// Attempts have their own names, which HLS and DASH contain and players must read.
    @Test(arguments: [([0], false), ([1, 3], true), ([0, 1, 2, 3], true), ([], true)])
    func anOutputOfLaterAttemptsPlays(again: [Int], audio: Bool) async throws {
        let job = try await job(Clip(seconds: 7))
        let (original, _) = try await job.plan(Self.engine)
        _ = try await job.makeSegments(of: original, Self.engine)
        let plan = original.madeAgain(chunks: again, attempt: 3, audio: audio)
        try job.rename(original, to: plan)
        _ = try await job.finish(plan, Self.engine)

        let report = try await verify(job.output)
        #expect(report.problems == [])
        let names = Set(files(below: scratch.path("out")).keys)
        #expect(
            names.filter { $0.hasSuffix(".m4s") || $0.hasSuffix("init.mp4") || $0.contains("init-") }.count
                == plan.segmentKeys.count)
        for manifest in ["master.m3u8", "manifest.mpd"] {
            let path = scratch.path("out/\(manifest)")
            #expect(try await Oracle.complaints(path) == "")
            let streams = try await Oracle.probe(path, "streams", "-count_frames")
            let videos = streams.filter { $0["codec_type"] == "video" }
            #expect(videos.map { $0["nb_read_frames"] } == ["175", "175"], "\(manifest)")
            #expect(streams.contains { $0["codec_type"] == "audio" })
        }
        let mpd = try String(contentsOfFile: scratch.path("out/manifest.mpd"), encoding: .utf8)
        // Only names of several attempts fit no template.
        let isMixed = (1..<4).contains(again.count)
        #expect(mpd.contains("isoff-main") == isMixed)
        #expect(mpd.contains("SegmentList") == isMixed)
        #expect(try mpd.contains("-3.m4s") && String(decoding: job.output.get("master.m3u8"), as: UTF8.self) != "")
    }

    // MARK: Checks of the finish task

    struct Mismatch: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var names: String
        var apply: @Sendable (TaskJob, inout TaskSpec.FinishRequest) throws -> Void

        init(
            _ description: String, names: String,
            _ apply: @escaping @Sendable (TaskJob, inout TaskSpec.FinishRequest) throws -> Void
        ) {
            testDescription = description
            self.names = names
            self.apply = apply
        }
    }

    static let mismatches = [
        Mismatch("a segment is missing", names: "video/96p/00002.m4s is not on the store") { job, _ in
            try job.output.delete("video/96p/00002.m4s")
        },
        Mismatch("a segment differs but has the same length", names: "video/96p/00002.m4s on the store") { job, _ in
            var data = try job.output.get("video/96p/00002.m4s")
            data[data.count - 1] ^= 1
            try job.output.put(data, at: "video/96p/00002.m4s")
        },
        Mismatch("a segment became longer", names: "audio/und-aac-128k/00001.m4s on the store") { job, _ in
            try job.output.put(
                job.output.get("audio/und-aac-128k/00001.m4s") + Data([0]), at: "audio/und-aac-128k/00001.m4s")
        },
        Mismatch("an init segment differs", names: "video/180p/init.mp4 on the store") { job, _ in
            try job.output.put(job.output.get("video/96p/init.mp4"), at: "video/180p/init.mp4")
        },
        Mismatch("a segment was not recorded", names: "recorded video/180p/00003.m4s") { _, request in
            request.segments.removeAll { $0.key == "video/180p/00003.m4s" }
        },
        Mismatch("two tasks recorded different bytes", names: "video/180p/init.mp4") { _, request in
            request.segments.append(FileRecord(key: "video/180p/init.mp4", bytes: 3, sha256: "0"))
        },
        Mismatch("another attempt's init segment differs", names: "video/180p") { _, request in
            request.segments.append(FileRecord(key: "video/180p/init-2.mp4", bytes: 3, sha256: "0"))
        },
        Mismatch("two segments and their records are swapped", names: "video/180p/00002.m4s") { job, request in
            let (a, b) = (try job.output.get("video/180p/00002.m4s"), try job.output.get("video/180p/00003.m4s"))
            try job.output.put(b, at: "video/180p/00002.m4s")
            try job.output.put(a, at: "video/180p/00003.m4s")
            request.segments = try job.records(of: request.plan)
        },
        Mismatch("a recorded segment has the times of another", names: "audio/und-aac-128k/00002") {
            job, request in
            try job.output.put(job.output.get("audio/und-aac-128k/00003.m4s"), at: "audio/und-aac-128k/00002.m4s")
            request.segments = try job.records(of: request.plan)
        },
    ]

    private static let made = Task {
        let scratch = try Scratch()
        let source = try await Clip(seconds: 7).make()
        let job = TaskJob(
            source: try FileByteSource(path: source.path), name: "clip.mp4", settings: settings,
            output: DirectoryStore(root: scratch.url("out")))
        let (plan, _) = try await job.plan(engine)
        _ = try await job.makeSegments(of: plan, engine)
        return (scratch, job, plan)
    }

    @Test(arguments: mismatches)
    func finishRefusesSegmentsThatDifferFromTheirRecords(_ mismatch: Mismatch) async throws {
        let (made, original, plan) = try await Self.made.value
        try FileManager.default.copyItem(atPath: made.path("out"), toPath: scratch.path("out"))
        var job = original
        job.output = DirectoryStore(root: scratch.url("out"))
        var request = TaskSpec.FinishRequest(plan: plan, segments: try job.records(of: plan), warnings: [])
        try mismatch.apply(job, &request)
        let spec = job.spec(.finish(request))
        let io = job.io
        await #expect { try await Self.engine(spec, io) } throws: { error in
            let error = error as? ClairoError
            return error.map { [.defect, .transient].contains($0.kind) && $0.message.contains(mismatch.names) } ?? false
        }
        #expect(try job.output.size(of: "master.m3u8") == nil)
        #expect(try job.output.size(of: "clairo.json") == nil)
    }

    @Test func finishRemovesLeftoversOfLostAttemptsAndIsRepeatable() async throws {
        let (made, original, plan) = try await Self.made.value
        try FileManager.default.copyItem(atPath: made.path("out"), toPath: scratch.path("out"))
        var job = original
        job.output = DirectoryStore(root: scratch.url("out"))
        for key in ["video/96p/00002-2.m4s", "video/180p/init-4.mp4", "audio/und-aac-128k/00001-2.m4s"] {
            try job.output.put(Data("x".utf8), at: ObjectKey(key))
        }
        let warnings = [MediaWarning(.damaged, "a warning")]
        _ = try await job.finish(plan, warnings: warnings, Self.engine)
        let first = try contents(below: scratch.path("out"))
        #expect(first.keys.filter { $0.contains("-2.") || $0.contains("-4.") } == [])
        #expect(try await verify(job.output).problems == [])
        let manifest = try JSONDecoder().decode(OutputManifest.self, from: job.output.get(OutputLayout.manifest))
        #expect(manifest.warnings == warnings)
        let again = try await job.finish(plan, warnings: warnings, Self.engine)
        #expect(try contents(below: scratch.path("out")) == first)
        #expect(again.renditions == manifest.renditions && again.warnings == warnings)
    }

    @Test func finishOfOneFileForEachRenditionIsRepeatableWithoutTheSegments() async throws {
        let job = try await job(Clip(seconds: 4), settings: Self.settings.with { $0.segments = .single })
        let (plan, _) = try await job.plan(Self.engine)
        _ = try await job.makeSegments(of: plan, Self.engine)
        let request = TaskSpec.FinishRequest(plan: plan, segments: try job.records(of: plan), warnings: [])
        let (spec, io) = (job.spec(.finish(request)), job.io)
        _ = try await Self.engine(spec, io)
        let first = try contents(below: scratch.path("out"))
        #expect(first.keys.filter { $0.hasSuffix(".m4s") } == [])
        #expect(try await verify(job.output).problems == [])
        // An attempt that was interrupted after it had published the output.
        _ = try await Self.engine(spec, io)
        #expect(try contents(below: scratch.path("out")) == first)
    }

    // MARK: Failures

    @Test func anUndecodableSourceIsBadInput() async throws {
        // Its index describes frames, but their bytes are noise.
        let clip = Clip(seconds: 6, audio: .none)
        var data = try Data(contentsOf: await clip.make())
        var job = try await job(clip)
        let (plan, _) = try await job.plan(Self.engine)
        let index = try #require(data.range(of: Data("moov".utf8), options: .backwards)).lowerBound - 4
        var generator = SeededGenerator(seed: 1)
        for position in index / 2..<index { data[position] = UInt8.random(in: .min ... .max, using: &generator) }
        job.source = MemorySource(data)
        let (spec, io) = (job.spec(.chunk(plan, index: 2)), job.io)
        await #expect {
            try await Self.engine(spec, io)
        } throws: { error in
            let error = error as? ClairoError
            return error?.kind == .badInput
                && error?.message.hasSuffix("of 6.00 s can be decoded") == true
        }
    }

    @Test func aSourceWithoutMediaIsBadInputAndAnUnknownChunkIsADefect() async throws {
        let job = TaskJob(source: MemorySource(Data("no film".utf8)), name: "x", settings: Self.settings)
        await #expect { try await job.plan(Self.engine) } throws: { ($0 as? ClairoError)?.kind == .badInput }
        let (_, good, plan) = try await Self.made.value
        let (spec, io) = (good.spec(.chunk(plan, index: 99)), good.io)
        await #expect { try await Self.engine(spec, io) } throws: { ($0 as? ClairoError)?.kind == .defect }
    }

    @Test func aStopEndsTheTask() async throws {
        let job = try await job(Clip(width: 1280, height: 720, seconds: 6, audio: .none))
        let (plan, _) = try await job.plan(Self.engine)
        let stop = StopRequest()
        let (spec, io) = (job.spec(.chunk(plan, index: 0)), job.io)
        await #expect(throws: ClairoError.cancelled) {
            try await onDedicatedThread(name: "test task") {
                try MediaTaskEngine().run(spec, io: io, observer: TaskObserver { _ in stop.cancel() }, stop: stop)
            }
        }
    }
}
