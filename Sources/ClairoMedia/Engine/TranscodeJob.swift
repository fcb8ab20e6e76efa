public import ClairoCore
internal import Foundation
internal import Libav

/// Transcodes one source into one output folder, from the first byte to the master playlist.
///
/// The write order makes it crash-safe: `clairo.json` with state `running`, segments, everything that refers to them,
/// then, after verification, `clairo.json` with state `complete`, and finally the master playlist. After a crash at any
/// point, the same call continues: every existing object is complete and has the bytes that it would get again.
public struct TranscodeJob: Sendable {
    /// The result of a job.
    public struct Outcome: Sendable {
        /// The content of `clairo.json`.
        public var manifest: OutputManifest
        /// The verification report; nil if verification was disabled.
        public var verification: VerificationReport?
        /// The number of objects that an earlier run had finished.
        public var resumedSegments: Int
    }

    private let source: any ByteSource
    private let sourceName: String
    private let fingerprint: SourceFingerprint?
    private let settings: TranscodeSettings
    private let subtitles: [SubtitleFile]
    private let protection: Protection?
    private let limits: InputLimits
    private let resources: TranscodeResources
    private let store: any ObjectStore
    private let control: JobControl
    private let log: @Sendable (String) -> Void

    /// - Parameters:
    ///   - fingerprint: The fingerprint of the source; nil to compute it.
    ///   - subtitles: Subtitles that are not in the source.
    ///   - protection: How the output is encrypted, by the store; nil for clear output.
    ///   - log: Receives messages for people, such as that finished segments were found.
    public init(
        source: any ByteSource, sourceName: String, fingerprint: SourceFingerprint? = nil, settings: TranscodeSettings,
        subtitles: [SubtitleFile] = [], protection: Protection? = nil, limits: InputLimits = InputLimits(),
        resources: TranscodeResources = TranscodeResources(),
        store: any ObjectStore, control: JobControl = JobControl(), log: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.fingerprint = fingerprint
        self.source = source
        self.sourceName = sourceName
        self.settings = settings
        self.subtitles = subtitles
        self.protection = protection
        self.limits = limits
        self.resources = resources
        self.store = store
        self.control = control
        self.log = log
    }

    /// Runs the job. Blocks: call it on a dedicated thread.
    public func run() throws(ClairoError) -> Outcome {
        do {
            return try runSteps()
        } catch {
            throw control.explain(
                error, source: sourceName,
                memoryAdvice: "Give fewer --jobs or a smaller --memory and run the same command again.")
        }
    }

    private func runSteps() throws -> Outcome {
        control.begin(.reading)
        let fingerprint =
            try fingerprint ?? SourceFingerprint(of: source, name: sourceName, check: control.checkCancellation)
        let scan = try SourceAnalyzer(source: source, name: sourceName, limits: limits, interrupt: control.interrupt)
            .scan(inspectsCopy: settings.copyCompatible)
        // An interrupted scan must not be mistaken for a shorter source.
        try control.checkCancellation()
        let planned = try CheckedPlan.make(
            scan: scan, fingerprint: fingerprint, settings: settings, subtitles: subtitles, source: source,
            limits: limits,
            control: control)
        var plan = planned.plan
        plan.protection = protection
        var manifest = try OutputManifest(of: plan, warnings: scan.info.planWarnings + planned.warnings)
        try OutputFolder(store: store).prepare(for: &manifest, force: resources.force, log: log)
        plan = manifest.plan
        let expected = TranscodePlanner.expectedCounts(plan, scan: scan)
        let journal = WarningJournal(store: store, manifest: manifest, expected: expected)
        manifest.counts?.forEach { control.count($0) }
        let resumed = try finishedSegments(plan)
        if resumed > 0 { log("Continuing: \(resumed) of \(plan.segmentKeys.count) objects are finished already.") }

        var wasShortened = false
        do {
            try encode(plan, scan: scan, journal: journal)
        } catch let end as SourceEndedEarly {
            plan = try shortened(plan, to: end, scan: scan)
            manifest.plan = plan
            wasShortened = true
            control.warn(
                MediaWarning(
                    .truncated,
                    "the source ends early: \(clock(plan.duration.doubleValue)) of \(clock(scan.info.duration)) "
                        + "could be read",
                    advice: "Use a complete copy of the source if there is one."))
            try encode(plan, scan: scan, journal: journal)
        }
        // What an earlier run decoded was as expected, unless it was recorded.
        if resumed > 0 { control.assume(expected) }
        if let damage = try damageWarning(plan) { control.warn(damage) }
        if !wasShortened, let loss = plan.video?.lossWarning(shown: control.shownFrames) { control.warn(loss) }
        // A run that continues decodes only a part of the audio, and a shortened one decodes some of it twice.
        let counts = resumed == 0 && !wasShortened ? SourceCounts(plan, scan: scan, control: control) : nil
        let comparison: SourceComparison = counts.map { SourceComparison.counted($0) } ?? .continued
        try journal.record(control)
        manifest.counts = nil
        manifest.plan.note(control.loudness)
        manifest.warnings = (manifest.warnings + control.warnings).bounded()
        try control.checkCancellation()

        let published = try OutputFinisher(
            manifest: manifest, store: store, control: control,
            check: resources.verifies ? .whole(comparison) : .none
        ).run()
        return Outcome(
            manifest: published.manifest, verification: published.verification, resumedSegments: resumed)
    }

    // MARK: Steps

    /// Makes all missing segments: audio and text on one thread, video in as many parallel runs as resources allow.
    private func encode(_ plan: Plan, scan: SourceScan, journal: WarningJournal) throws {
        let sink = SegmentSink(
            store: store, manner: .resuming, control: control, journal: journal, protection: plan.protection)
        let missing = try missingSegments(plan)
        let done = (plan.video?.rungs.indices ?? 0..<0).reduce(0) { total, rung in
            let lacking = missing[rung] ?? []
            return total
                + (0..<(plan.video?.grid.segmentCount ?? 0)).reduce(0) {
                    $0 + (lacking.contains($1) ? 0 : plan.video?.grid.frames(ofSegment: $1).count ?? 0)
                }
        }
        control.plan(
            frames: (plan.video?.grid.frameCount ?? 0) * (plan.video?.rungs.count ?? 0), resumed: done,
            duration: plan.duration.doubleValue)
        control.begin(.encoding)

        let tracks = WorkerThread(name: "tracks") {
            do {
                try makeTracks(plan, sink: sink)
            } catch {
                control.stopQuietly()
                throw error
            }
        }
        var failure: (any Error)?
        do {
            try encodeVideo(plan, scan: scan, missing: missing, sink: sink)
        } catch {
            failure = error
            if !(error is SourceEndedEarly) { control.stopQuietly() }
        }
        let trackFailure = tracks.join()
        control.resumeAfterQuietStop()
        // The side that was stopped reports `cancelled`; the other side has the cause.
        let failures = [failure, trackFailure].compactMap { $0 }
        if let error = failures.first(where: { ($0 as? ClairoError) != .cancelled }) ?? failures.first { throw error }
    }

    private func makeTracks(_ plan: Plan, sink: SegmentSink) throws {
        let transcoder = TrackTranscoder(
            source: source, limits: limits, plan: plan, files: subtitles, sink: sink, control: control)
        for (index, track) in plan.tracks.enumerated() {
            let isMeasured = (track as? AudioPlan)?.loudness != nil || track.kind != .audio
            if try isMeasured && track.objectKeys.allSatisfy({ key in try store.size(of: key) != nil }) { continue }
            if let loudness = try transcoder.run(index) { control.note(loudness, ofTrack: track.id) }
        }
    }

    private func encodeVideo(
        _ plan: Plan, scan: SourceScan, missing: [Int: Set<Int>], sink: SegmentSink
    ) throws {
        guard let video = plan.video else { return }
        try CopyRung.writeMissing(
            plan: plan, video: video, missing: missing, source: source, limits: limits, sink: sink, control: control)
        for wave in 0..<video.waveCount {
            try encode(wave: wave, of: plan, video: video, scan: scan, missing: missing, sink: sink)
        }
    }

    private func encode(
        wave: Int, of plan: Plan, video: VideoPlan, scan: SourceScan, missing: [Int: Set<Int>], sink: SegmentSink
    ) throws {
        let rungs = video.rungs(ofWave: wave).filter { !video.rungs[$0].isCopy }
        let wanted = rungs.reduce(into: Set<Int>()) { $0.formUnion(missing[$1] ?? []) }
        guard let first = wanted.min(), let last = wanted.max(), let rung = rungs.first.map({ video.rungs[$0] }) else {
            return
        }
        let chunks = plan.chunks.filter { $0.wave == wave }
        let chunkTranscoder = ChunkTranscoder(
            source: source, limits: limits, plan: plan, video: video, sink: sink, control: control)
        let jobs = ResourceBudget(memory: resources.memory).jobs(
            asked: resources.jobs, cores: resources.cores, video: video, source: scan.info.primaryVideo?.codedSize,
            preset: plan.settings.preset)
        let runs: [Chunk]
        if jobs == 1 || chunks.count < 2 {
            // One long run keeps all cores busy; consecutive short runs would leave some idle between them.
            let seek = chunks.last { $0.segments.lowerBound <= first }?.seekTimestamp
            let segments =
                video.encoderRun(ofSegment: first, rung: rung)
                .lowerBound..<video.encoderRun(ofSegment: last, rung: rung).upperBound
            runs = [Chunk(index: 0, wave: wave, segments: segments, seekTimestamp: seek)]
        } else {
            runs = chunks.filter { chunk in wanted.contains { chunk.segments.contains($0) } }
        }
        let threads = Int32(max(1, min(4, resources.cores / max(2, jobs))))
        try inParallel(runs, workers: jobs) { run in
            try chunkTranscoder.run(
                wave: wave, segments: run.segments, seek: run.seekTimestamp, missing: missing, threads: threads)
        }
    }

    /// Processes `items` on `workers` threads. After the first failure no more items are started.
    private func inParallel(_ items: [Chunk], workers: Int, _ body: @escaping @Sendable (Chunk) throws -> Void) throws {
        let queue = BoundedQueue<Chunk>(capacity: max(items.count, 1))
        for item in items { _ = queue.push(item) }
        queue.finish()
        let threads = (0..<min(workers, items.count)).map { index in
            WorkerThread(name: "chunk-\(index)") {
                do {
                    while let item = queue.pop() { try body(item) }
                } catch {
                    queue.abandon()
                    throw error
                }
            }
        }
        let failures = threads.compactMap { $0.join() }
        // If several runs reached the end of the source, the earliest one determines its length.
        let ends = failures.compactMap { $0 as? SourceEndedEarly }
        if let error = failures.first(where: { !($0 is SourceEndedEarly) }) { throw error }
        if let end = ends.min(by: { $0.coveredFrames < $1.coveredFrames }) { throw end }
    }

    /// The plan for the decodable part, if partial output is allowed.
    private func shortened(_ plan: Plan, to end: SourceEndedEarly, scan: SourceScan) throws -> Plan {
        guard settings.allowPartial, end.coveredFrames > 0 else {
            throw end.error(of: plan, length: scan.info.duration)
        }
        let rate = plan.video?.grid.frameRate ?? Rational(25)
        var partial = settings
        partial.duration = Rational(Int64(end.coveredFrames)) / rate
        var shorter = try TranscodePlanner.plan(
            scan: scan, fingerprint: plan.source, settings: partial, subtitles: subtitles, limits: limits)
        shorter.settings = settings
        shorter.protection = protection
        // Segments after the end, and those of the encoder run that reached it, were made for another length.
        let lastSegment = end.coveredFrames / (plan.video?.grid.segmentFrames ?? 1)
        for rendition in plan.video?.renditions ?? [] {
            let kept = rendition.video.encoderRun(ofSegment: lastSegment, rung: rendition.rung).lowerBound
            try store.delete(Array(rendition.segmentKeys.dropFirst(kept)))
        }
        for track in plan.tracks { try store.delete(track.objectKeys) }
        // A part of the source cannot be copied.
        for rung in plan.video?.renditions ?? [] where rung.rung.isCopy {
            try store.delete(rung.objectKeys)
        }
        return shorter
    }

    private func damageWarning(_ plan: Plan) throws -> MediaWarning? {
        let damage = control.damage
        if damage.isTooMuch, !settings.allowPartial {
            // Nothing of a refused source stays.
            try store.delete(plan.video?.renditions.flatMap(\.segmentKeys) ?? [])
        }
        return try damage.warning(source: sourceName, allowPartial: settings.allowPartial)
    }

    // MARK: State

    private func missingSegments(_ plan: Plan) throws -> [Int: Set<Int>] {
        var missing: [Int: Set<Int>] = [:]
        for (index, rung) in (plan.video?.rungs ?? []).enumerated() {
            let hasInit = try store.size(of: rung.initKey) != nil
            missing[index] = Set(
                try (0..<(plan.video?.grid.segmentCount ?? 0)).filter { segment in
                    try !hasInit || store.size(of: rung.segmentKey(segment)) == nil
                })
        }
        return missing
    }

    private func finishedSegments(_ plan: Plan) throws -> Int {
        try plan.segmentKeys.reduce(0) { count, key in try count + (store.size(of: key) == nil ? 0 : 1) }
    }

    /// The version of libav, as `clairo.json` records it, or "not found".
    public static var libraryVersion: String { Libraries.version ?? "not found" }
    /// The versions of Clairo and libav, as the manifest records them.
    public static var generator: String { "clairo \(clairoVersion) libav \(libraryVersion)" }
    /// The libraries for decoding and encoding, with their versions.
    public static var libraries: String {
        let isLoaded = (try? Libraries.load()) != nil
        let missing = VideoCodec.allCases.filter { $0 != .h264 && isLoaded && !Encoder.isAvailable($0.coding.encoder) }
        return "FFmpeg \(libraryVersion), x264 \(X264.build.map { "build \($0)" } ?? "missing")"
            + missing.map { ", \($0.coding.encoder) missing" }.joined()
    }
}
