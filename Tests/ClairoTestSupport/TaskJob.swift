public import ClairoCore
internal import Foundation

/// A job whose tasks are run one after the other by a given runner.
public struct TaskJob: Sendable {
    public var source: any ByteSource
    public var name: String
    public var settings: TranscodeSettings
    public var output: any ObjectStore
    /// For executors whose tasks write to the store themselves.
    public var remote: RemoteOutput?
    public let jobID = JobID.make()
    public let videoID = VideoID.make()

    public init(
        source: any ByteSource, name: String, settings: TranscodeSettings, output: any ObjectStore = MemoryStore()
    ) {
        self.source = source
        self.name = name
        self.settings = settings
        self.output = output
    }

    public func spec(_ work: TaskSpec.Work) -> TaskSpec {
        TaskSpec(taskID: .make(), jobID: jobID, videoID: videoID, attempt: 1, traceID: "test", work: work, threads: 1)
    }

    public var io: TaskIO { TaskIO(source: source, output: output, remote: remote) }

    public var planRequest: TaskSpec.PlanRequest {
        get throws { TaskSpec.PlanRequest(source: try SourceFingerprint(of: source, name: name), settings: settings) }
    }

    public typealias Runner = @Sendable (TaskSpec, TaskIO) async throws -> TaskResult

    public func plan(_ run: Runner) async throws -> (plan: Plan, warnings: [MediaWarning]) {
        let result = try await run(spec(.plan(planRequest)), io)
        guard let plan = result.plan else { throw ClairoError.defect("The plan task returned no plan") }
        return (plan, result.warnings)
    }

    /// Runs every task that makes segments.
    public func makeSegments(of plan: Plan, _ run: Runner) async throws -> [TaskResult] {
        var results: [TaskResult] = []
        for chunk in plan.chunks { results.append(try await run(spec(.chunk(plan, index: chunk.index)), io)) }
        for index in plan.tracks.indices { results.append(try await run(spec(.track(plan, index: index)), io)) }
        return results
    }

    /// The plan's files in the store.
    public func records(of plan: Plan) throws -> [FileRecord] {
        try plan.segmentKeys.map { key in
            let data = try output.get(key)
            return FileRecord(key: key.rawValue, bytes: Int64(data.count), sha256: Checksum.sha256(data))
        }
    }

    public func finish(_ plan: Plan, warnings: [MediaWarning] = [], _ run: Runner) async throws -> TaskResult {
        try await run(
            spec(.finish(TaskSpec.FinishRequest(plan: plan, segments: records(of: plan), warnings: warnings))), io)
    }

    /// Runs the whole job.
    public func run(_ run: Runner) async throws -> (plan: Plan, results: [TaskResult]) {
        var (plan, warnings) = try await plan(run)
        let results = try await makeSegments(of: plan, run)
        for (index, result) in results.dropFirst(plan.chunks.count).enumerated() {
            if let loudness = result.loudness { plan.note(loudness, ofTrack: index) }
        }
        return (plan, results + [try await finish(plan, warnings: warnings, run)])
    }

    /// Renames objects from the names in `original` to those in `plan`, as if later attempts had made them.
    public func rename(_ original: Plan, to plan: Plan) throws {
        for (old, new) in zip(original.segmentKeys, plan.segmentKeys) where old != new {
            try output.put(output.get(old), at: new)
            try output.put(Data("half of an attempt that was lost".utf8), at: old)
        }
    }
}

extension TaskExecutor {
    /// Runs a task that is not observed.
    public func run(
        _ spec: TaskSpec, io: TaskIO, stop: StopRequest = StopRequest()
    ) async throws(ClairoError) -> TaskResult {
        try await run(spec, io: io, observer: TaskObserver(), stop: stop)
    }
}

extension TaskEngine {
    /// Does the work of a task that is not observed.
    public func run(_ spec: TaskSpec, io: TaskIO, stop: StopRequest = StopRequest()) throws(ClairoError) -> TaskResult {
        try run(spec, io: io, observer: TaskObserver(), stop: stop)
    }
}

extension Plan {
    /// The same plan, with some chunks and tracks made by later attempts.
    public func madeAgain(chunks again: [Int], attempt: Int = 2, audio: Bool = false) -> Plan {
        var plan = self
        let attempts = chunks.filter { again.contains($0.index) }.map {
            SegmentAttempt(segments: $0.segments, attempt: attempt)
        }
        for index in plan.video?.rungs.indices ?? 0..<0 where !attempts.isEmpty {
            plan.video?.rungs[index].laterAttempts = attempts
        }
        for index in plan.audio.indices where audio { plan.audio[index].laterAttempt = attempt }
        return plan
    }
}
