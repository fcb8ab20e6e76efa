public import ClairoCore

/// Resumes and cancels jobs.
public struct JobOperations: Sendable {
    private let metadata: any VideoRecords & JobRecords & JobLifecycle
    private let output: any ObjectStore
    private let start: JobStart
    private let messages: JobMessages
    private let profiles: @Sendable () throws(ClairoError) -> Profiles?
    /// The number of additional attempts for each task of a resumed job.
    private static let moreAttempts = 5
    /// The maximum number of concurrent requests to the store.
    private static let questionsAtOnce = 16

    /// - Parameter profiles: Reads the profiles that workers process videos with; returns nil if only the workers know
    ///   them.
    public init(
        metadata: any VideoRecords & JobRecords & JobLifecycle, output: any ObjectStore, start: JobStart,
        messages: JobMessages, profiles: @escaping @Sendable () throws(ClairoError) -> Profiles? = { nil }
    ) {
        self.metadata = metadata
        self.output = output
        self.start = start
        self.messages = messages
        self.profiles = profiles
    }

    /// Resumes the last job of a video if it failed or was cancelled. Tasks that succeeded and whose files are still in
    /// the store are not repeated. If upkeep has removed them, a new job is started.
    /// - Parameter anew: Starts a new job from the source instead, even if the last one succeeded.
    /// - Returns: The running job, or nil if there is nothing to resume.
    /// - Throws: `configuration` (78) if the job still needs its profile, and that does not exist or the profiles are not
    ///   valid. Nothing is written then.
    public func retry(_ id: VideoID, anew: Bool = false) async throws(ClairoError) -> JobID? {
        let video = try await existing(id)
        let last = try await metadata.jobs(of: id).first
        if let last, !last.state.isFinal || (last.state == .succeeded && !anew) { return nil }
        if let last, !anew, last.sweptAt == nil {
            // A plan contains the settings of its profile.
            if last.plan == nil { try checkProfile(of: video) }
            let lost = try await lostTasks(of: last)
            let job = try await metadata.retryJob(of: id, attempts: Self.moreAttempts, lost: lost) { [messages] task in
                [messages.task(task, traceID: video.traceID)]
            }
            if let job { return job.id }
            // Upkeep may have begun to remove its segments meanwhile.
            guard try await metadata.job(last.id)?.sweptAt != nil else { return nil }
        }
        try checkProfile(of: video)
        return try await start.beginAnew(video) ? metadata.video(id)?.jobID : nil
    }

    private func checkProfile(of video: Video) throws(ClairoError) {
        _ = try profiles()?.settings(of: video.profile)
    }

    /// Succeeded tasks of which a file is missing or has the wrong size.
    private func lostTasks(of job: Job) async throws(ClairoError) -> Set<TaskID> {
        let done = try await metadata.tasks(of: job.id).filter { $0.state == .succeeded }
        let checks = done.flatMap { task in
            AttemptFolder.objects(of: task, plan: job.plan).map { (task: task.id, key: $0.key, bytes: $0.bytes) }
        }
        // Concurrent, because a long video has thousands of segments and a remote store has latency.
        let batches = (0..<min(Self.questionsAtOnce, checks.count)).map { first in
            stride(from: first, to: checks.count, by: Self.questionsAtOnce).map { checks[$0] }
        }
        let found = await withTaskGroup { group in
            for batch in batches {
                group.addTask { [output] in
                    await onDedicatedThread(name: "look at segments") {
                        Result { () throws(ClairoError) in
                            var lost: Set<TaskID> = []
                            for check in batch where !lost.contains(check.task) {
                                if try output.info(of: check.key)?.size != check.bytes { lost.insert(check.task) }
                            }
                            return lost
                        }
                    }
                }
            }
            return await group.reduce(into: [Result<Set<TaskID>, ClairoError>]()) { $0.append($1) }
        }
        var lost: Set<TaskID> = []
        for batch in found { lost.formUnion(try batch.get()) }
        return lost
    }

    /// Cancels a video's job, or prevents it from starting. Workers notice within seconds.
    /// - Returns: Nil if there is nothing to cancel.
    public func cancel(_ id: VideoID) async throws(ClairoError) -> Video? {
        _ = try await existing(id)
        return try await metadata.cancelVideo(id) { [messages] job in messages.event(.cancelled, job: job) }
    }

    /// - Throws: `noInput` (66) if the video does not exist, `usage` (64) if it is being deleted.
    private func existing(_ id: VideoID) async throws(ClairoError) -> Video {
        guard let video = try await metadata.video(id) else {
            throw .noInput("Video \(id) does not exist", advice: "clairo status lists the videos.")
        }
        if video.state == .deleting { throw VideoDeletion.refusal(of: id) }
        return video
    }
}
