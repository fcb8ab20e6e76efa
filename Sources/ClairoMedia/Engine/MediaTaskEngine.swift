public import ClairoCore
internal import Foundation
internal import Glibc
internal import Libav

/// Runs one task in this process: a whole `TranscodeJob`, or one step of a job that several workers share.
///
/// The two differ in what they trust. `TranscodeJob` owns its folder, continues from existing segments and decodes the
/// whole output at the end. A task writes all of its own segments and decodes them before it succeeds; the finish task
/// trusts the records of the segments and decodes nothing.
public struct MediaTaskEngine: TaskEngine {
    private let limits: InputLimits
    private let watchdog: Watchdog?
    /// Read early, because the sandbox denies access to the files that this reads.
    private let cores = ProcessInfo.processInfo.activeProcessorCount

    /// - Parameter watchdog: Watches each task; nil if another process does.
    public init(limits: InputLimits = InputLimits(), watchdog: Watchdog? = nil) {
        self.limits = limits
        self.watchdog = watchdog
    }

    /// Loads the libraries that decode and encode, because the sandbox denies access to their files.
    /// - Throws: `unavailable` if they cannot be loaded.
    public static func loadLibraries() throws(ClairoError) {
        do { try Libraries.load() } catch {
            throw .unavailable(
                "FFmpeg's libraries cannot be loaded: \(error.reason)",
                advice: "Install the version that this program was built with, where its tasks run.")
        }
    }

    public func run(
        _ spec: TaskSpec, io: TaskIO, observer: TaskObserver, stop: StopRequest
    ) throws(ClairoError) -> TaskResult {
        try Self.loadLibraries()
        let control = JobControl(onFrame: observer.progress, onChange: { observer.update(.progress($0)) })
        stop.onCancel { [weak control] in control?.cancel() }
        let endWatch = watchdog?.start(control, source: spec.work.sourceName)
        defer { endWatch?() }
        let meter = UsageMeter()
        let work = TaskWork(
            io: io, update: observer.update, limits: limits, threads: spec.threads ?? max(1, min(4, cores / 2)),
            control: control)
        do {
            try control.checkCancellation()
            guard TaskSpec.knownSchemas.contains(spec.schema) else {
                throw ClairoError.defect("The task is of schema \(spec.schema), which this program does not know")
            }
            var result =
                switch spec.work {
                case .probe(let name, let settings): try work.probe(name, settings)
                case .inspect(let name): try work.inspect(name)
                case .plan(let request): try work.plan(request)
                case .chunk(let plan, let index): try work.chunk(plan, index: index)
                case .track(let plan, let index): try work.track(plan, index: index)
                case .finish(let request): try work.finish(request)
                case .transcode(let request): try work.transcode(request)
                case .verify:
                    TaskResult(verification: try Verifier(store: work.output, control: control).run())
                }
            // Libraries treat an interrupted input as a short one.
            try control.checkCancellation()
            result.warnings = (result.warnings + control.warnings).bounded()
            result.usage = meter.usage(control.clock.steps)
            return result
        } catch {
            throw control.explain(error, source: spec.work.sourceName)
        }
    }
}

extension TaskSpec.Work {
    /// The name of the source, for messages.
    var sourceName: String {
        switch self {
        case .probe(let name, _), .inspect(let name): name
        case .plan(let request): request.source.name
        case .chunk(let plan, _), .track(let plan, _): plan.source.name
        case .finish(let request): request.plan.source.name
        case .transcode(let request): request.source.name
        case .verify: "the output"
        }
    }
}

/// The work of each kind of task.
private struct TaskWork {
    let io: TaskIO
    let update: @Sendable (JobUpdate) -> Void
    let limits: InputLimits
    let threads: Int
    let control: JobControl

    private var source: any ByteSource {
        get throws(ClairoError) {
            guard let source = io.source else { throw .defect("The task was given no source") }
            return TimedSource(base: source, clock: control.clock)
        }
    }

    var output: any ObjectStore {
        get throws(ClairoError) {
            guard let output = io.output else { throw .defect("The task was given no output folder") }
            return WatchedStore(base: output, clock: control.clock)
        }
    }

    private func sink(of plan: Plan) throws(ClairoError) -> SegmentSink {
        SegmentSink(store: try output, manner: .sharing, control: control, protection: plan.protection)
    }

    /// Accepts a source if a plan can be made for it.
    func probe(_ name: String, _ settings: TranscodeSettings) throws -> TaskResult {
        let source = try source
        let scan = try SourceAnalyzer(source: source, name: name, limits: limits, interrupt: control.interrupt).scan()
        _ = try TranscodePlanner.plan(
            scan: scan, fingerprint: SourceFingerprint(name: name, size: source.size, identity: ""),
            settings: settings, limits: limits)
        return TaskResult(media: scan.info)
    }

    func inspect(_ name: String) throws -> TaskResult {
        let probe = try SourceAnalyzer(source: source, name: name, limits: limits, interrupt: control.interrupt)
        return TaskResult(media: try probe.scan().info)
    }

    func transcode(_ request: TaskSpec.TranscodeRequest) throws -> TaskResult {
        let outcome = try TranscodeJob(
            source: source, sourceName: request.source.name, fingerprint: request.source,
            settings: request.settings, subtitles: request.subtitles ?? [], protection: request.protection,
            limits: limits, resources: request.resources, store: output, control: control,
            log: { [update] in update(.note($0)) }
        ).run()
        return TaskResult(
            verification: outcome.verification, warnings: outcome.manifest.warnings,
            renditions: outcome.manifest.renditions)
    }

    func plan(_ request: TaskSpec.PlanRequest) throws -> TaskResult {
        control.begin(.reading)
        let source = try source
        let scan = try SourceAnalyzer(
            source: source, name: request.source.name, limits: limits, interrupt: control.interrupt
        ).scan(inspectsCopy: request.settings.copyCompatible)
        try control.checkCancellation()
        let planned = try CheckedPlan.make(
            scan: scan, fingerprint: request.source, settings: request.settings, source: source, limits: limits,
            control: control)
        var plan = planned.plan
        plan.protection = request.protection
        return TaskResult(plan: plan, warnings: scan.info.planWarnings + planned.warnings)
    }

    func chunk(_ plan: Plan, index: Int) throws -> TaskResult {
        guard let video = plan.video, let chunk = plan.chunks.first(where: { $0.index == index }) else {
            throw ClairoError.defect("The plan has no chunk \(index)")
        }
        control.begin(.encoding)
        // Copying is one short pass over the whole source.
        if chunk.segments.lowerBound == 0 {
            try CopyRung.writeMissing(
                plan: plan, video: video,
                missing: video.allSegments.filter { video.rungs[$0.key].wave == chunk.wave },
                source: source, limits: limits, sink: try sink(of: plan), control: control)
        }
        do {
            try ChunkTranscoder(
                source: source, limits: limits, plan: plan, video: video, sink: try sink(of: plan), control: control
            ).run(
                wave: chunk.wave, segments: chunk.segments, seek: chunk.seekTimestamp,
                missing: Dictionary(uniqueKeysWithValues: video.rungs.indices.map { ($0, Set(chunk.segments)) }),
                threads: Int32(clamping: threads))
        } catch let end as SourceEndedEarly {
            throw end.error(
                of: plan, length: plan.duration.doubleValue,
                start: video.grid.frames(ofSegment: chunk.segments.lowerBound).lowerBound)
        }
        let damage = control.damage
        return TaskResult(
            decodedFrames: damage.frames, decodeErrors: damage.errors, shownFrames: control.shownFrames)
    }

    func track(_ plan: Plan, index: Int) throws -> TaskResult {
        guard plan.tracks.indices.contains(index) else {
            throw ClairoError.defect("The plan has no track \(index)")
        }
        control.begin(.encoding)
        let loudness = try TrackTranscoder(
            source: source, limits: limits, plan: plan, sink: try sink(of: plan), control: control
        ).run(index)
        return TaskResult(loudness: loudness)
    }

    func finish(_ request: TaskSpec.FinishRequest) throws -> TaskResult {
        let manifest = try OutputManifest(of: request.plan, warnings: request.warnings)
        let published = try OutputFinisher(
            manifest: manifest, store: output, control: control,
            check: .records(SegmentRecords(request.segments, plan: request.plan))
        ).run()
        return TaskResult(warnings: published.manifest.warnings, renditions: published.manifest.renditions)
    }
}

/// Measures what this process has used since the meter was created.
private struct UsageMeter {
    private let start = Self.now
    private let begin = ContinuousClock.now

    func usage(_ steps: [TaskStep: Double]) -> TaskUsage {
        let now = Self.now
        let wall = begin.duration(to: .now).components
        return TaskUsage(
            cpuSeconds: now.cpu - start.cpu, wallSeconds: Double(wall.seconds) + Double(wall.attoseconds) * 1e-18,
            peakMemory: now.peak, steps: steps)
    }

    private static var now: (cpu: Double, peak: Int64) {
        var usage = rusage()
        getrusage(RUSAGE_SELF.rawValue, &usage)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) * 1e-6 }
        // Linux reports KiB (getrusage(2)).
        return (seconds(usage.ru_utime) + seconds(usage.ru_stime), Int64(usage.ru_maxrss) * 1024)
    }
}
