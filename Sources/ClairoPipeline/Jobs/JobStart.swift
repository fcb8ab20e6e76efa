public import ClairoCore

/// Starts jobs for videos.
public struct JobStart: Sendable {
    private let metadata: any VideoRecords & JobLifecycle
    private let policy: QueuePolicy
    private let messages: JobMessages

    public init(metadata: any VideoRecords & JobLifecycle, policy: QueuePolicy, messages: JobMessages) {
        self.metadata = metadata
        self.policy = policy
        self.messages = messages
    }

    /// Starts the first job of a video. Does nothing if it has a job or was deleted, so a message may arrive twice.
    /// - Returns: Whether a job was started.
    public func begin(_ id: VideoID) async throws(ClairoError) -> Bool {
        guard let video = try await metadata.video(id), video.state == .uploaded else { return false }
        return try await begin(video, from: [.uploaded])
    }

    /// Starts a new job, whatever the state of the previous one.
    /// - Returns: False if a job is running.
    public func beginAnew(_ video: Video) async throws(ClairoError) -> Bool {
        try await begin(video, from: [.uploaded, .ready, .failed, .cancelled])
    }

    private func begin(_ video: Video, from states: Set<Video.State>) async throws(ClairoError) -> Bool {
        let now = Timestamp.now
        let last = try await metadata.lastQueueAt(
            tenant: video.tenant, priorities: Set(Priority.allCases.filter { $0 >= video.priority }))
        let job = Job(
            id: .make(at: now), videoID: video.id, profile: video.profile, priority: video.priority,
            tenant: video.tenant, queueAt: policy.position(tenant: video.tenant, last: last, now: now),
            traceID: video.traceID, createdAt: now)
        let task = WorkTask(
            id: .make(at: now), jobID: job.id, videoID: video.id, kind: .plan, priority: job.priority,
            queueAt: policy.position(in: job), notBefore: now, createdAt: now)
        do throws(ClairoError) {
            return try await metadata.startJob(
                job, tasks: [task],
                messages: [messages.task(task, traceID: job.traceID)] + messages.event(.started, job: job),
                from: states)
        } catch  where error.exitCode == .noInput {
            // The video was deleted meanwhile.
            return false
        }
    }
}
