internal import ClairoCore

/// Creates task documents from the job, the video and the profile.
struct TaskSpecs {
    let job: Job
    let video: Video
    let profiles: Profiles
    var keys: VideoKeys?

    /// - Parameter tasks: All tasks of the job. Only the finish task needs them.
    func spec(of task: WorkTask, threads: Int?, tasks: [WorkTask]) throws(ClairoError) -> TaskSpec {
        TaskSpec(
            taskID: task.id, jobID: task.jobID, videoID: task.videoID, attempt: task.attempt, traceID: job.traceID,
            work: try work(of: task, tasks: tasks), threads: threads)
    }

    private func work(of task: WorkTask, tasks: [WorkTask]) throws(ClairoError) -> TaskSpec.Work {
        if task.kind == .plan {
            let source = SourceFingerprint(
                name: video.originalName, size: video.size, identity: "sha256:\(video.sha256)")
            let settings = try profiles.settings(of: job.profile)
            let protection = try VideoKeys.protection(settings, of: video.id, keys)
            return .plan(.init(source: source, settings: settings, protection: protection))
        }
        guard let plan = job.plan else { throw .defect("The job \(job.id) has no plan") }
        if task.kind == .finish { return .finish(try Self.finish(plan, tasks: tasks)) }
        guard let work = TaskSpec.Work(task.kind, index: task.index, of: plan) else {
            throw .defect("The job \(job.id) has no \(task.kind.rawValue) \(task.index)")
        }
        return work
    }

    /// The tasks of a plan, except for the finish task.
    static func tasks(of plan: Plan, job: Job, policy: QueuePolicy, now: Timestamp) -> [WorkTask] {
        func task(_ kind: WorkTask.Kind, _ index: Int, at position: Timestamp, frames: Int = 0) -> WorkTask {
            WorkTask(
                id: .make(at: now), jobID: job.id, videoID: job.videoID, kind: kind, index: index,
                priority: job.priority, queueAt: position, notBefore: now, framesPlanned: frames, createdAt: now)
        }
        let chunks = plan.chunks.map { chunk in
            task(.chunk, chunk.index, at: policy.position(of: chunk, in: job), frames: frames(of: chunk, plan))
        }
        return chunks + plan.tracks.indices.map { task(.track, $0, at: policy.position(in: job)) }
    }

    static func finishTask(of job: Job, policy: QueuePolicy, now: Timestamp) -> WorkTask {
        WorkTask(
            id: .make(at: now), jobID: job.id, videoID: job.videoID, kind: .finish, priority: job.priority,
            queueAt: policy.position(in: job), notBefore: now, createdAt: now)
    }

    /// The number of frames that a chunk encodes, over all rungs.
    private static func frames(of chunk: Chunk, _ plan: Plan) -> Int {
        guard let video = plan.video else { return 0 }
        let frames = chunk.segments.reduce(0) { $0 + video.grid.frames(ofSegment: $1).count }
        return frames * video.rungs(ofWave: chunk.wave).count { !video.rungs[$0].isCopy }
    }

    // MARK: Finish

    /// The warnings of the tasks before the finish task, those of the plan first.
    private static func warnings(of tasks: [WorkTask]) -> [MediaWarning] {
        // Tracks are few, and chunks many.
        let kinds: [WorkTask.Kind] = [.plan, .track, .chunk]
        return kinds.flatMap { kind in tasks.filter { $0.kind == kind }.flatMap { $0.result?.warnings ?? [] } }
    }

    /// Records in a plan which attempts made its segments, and collects the files they wrote.
    static func finish(_ plan: Plan, tasks: [WorkTask]) throws(ClairoError) -> TaskSpec.FinishRequest {
        var bound = plan
        var files: [FileRecord] = []
        var inits: [String: FileRecord] = [:]
        let sharedInits = plan.sharedInitKeys
        for task in tasks where task.kind.makesSegments {
            guard task.state == .succeeded, let result = task.result else {
                throw .defect("The job's \(task.kind.rawValue) \(task.index) has not succeeded")
            }
            bound.note(attempt: task.attempt, of: task.kind, index: task.index)
            if task.kind == .track, let loudness = result.loudness { bound.note(loudness, ofTrack: task.index) }
            for file in result.files {
                // Each chunk reports its encoder's parameter sets, which must be identical.
                guard sharedInits.contains(ObjectKey(file.key)) else {
                    files.append(file)
                    continue
                }
                if let known = inits[file.key], known.sha256 != file.sha256 {
                    throw .defect("\(file.key) differs between chunks. Different versions of Clairo may have made them")
                }
                inits[file.key] = file
            }
        }
        for (planned, made) in zip(plan.renditions, bound.renditions) where sharedInits.contains(planned.initKey) {
            guard var file = inits[planned.initKey.rawValue] else {
                throw .defect("No chunk reported \(planned.initKey)")
            }
            file.key = made.initKey.rawValue
            files.append(file)
        }
        // Each wave decodes the same frames, so one counts for all.
        let firstWave = tasks.filter { $0.kind != .chunk || plan.chunks[$0.index].wave == 0 }
        let decoded = firstWave.compactMap(\.result)
        let damage = try DecodingDamage(
            frames: decoded.reduce(0) { $0 + $1.decodedFrames }, errors: decoded.reduce(0) { $0 + $1.decodeErrors }
        ).warning(source: plan.source.name, allowPartial: plan.settings.allowPartial)
        let chunks = firstWave.filter { $0.kind == .chunk }.map { $0.result?.shownFrames }
        let shown = chunks.reduce(0 as Int?) { sum, count in sum.flatMap { sum in count.map { sum + $0 } } }
        let loss = chunks.isEmpty ? nil : plan.video?.lossWarning(shown: shown)
        return TaskSpec.FinishRequest(
            plan: bound, segments: files.sorted { $0.key < $1.key },
            warnings: ([damage, loss].compactMap { $0 } + warnings(of: tasks)).bounded())
    }
}
