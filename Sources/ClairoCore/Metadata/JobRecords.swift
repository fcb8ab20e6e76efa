/// Jobs and their tasks, to be read.
public protocol JobRecords: Sendable {
    /// A job; nil if there is none with this id.
    func job(_ id: JobID) async throws(ClairoError) -> Job?

    /// Newest first.
    func jobs(of id: VideoID) async throws(ClairoError) -> [Job]

    /// Jobs in these states, oldest first, after `after`.
    func jobs(in states: Set<Job.State>, after: JobID?, limit: Int) async throws(ClairoError) -> [Job]

    /// By kind and index.
    func tasks(of id: JobID) async throws(ClairoError) -> [WorkTask]
}

/// Jobs as wholes. Each call that changes something is one transaction with the messages that follow from it.
public protocol JobLifecycle: Sendable {
    /// Begins a job: the job, its tasks, their messages, and the video's row (state `processing`, `jobID`, no error).
    /// A job that was at work on the video is cancelled.
    /// - Returns: false, and nothing is written, where the video is not in one of `states`: somebody else was first.
    /// - Throws: `noInput` (66) where there is no such video.
    func startJob(_ job: Job, tasks: [WorkTask], messages: [OutboxMessage], from states: Set<Video.State>)
        async throws(ClairoError) -> Bool

    /// The latest `queueAt` of the tenant's jobs of these priorities that are not final; nil where it has none.
    func lastQueueAt(tenant: String, priorities: Set<Priority>) async throws(ClairoError) -> Timestamp?

    /// Stops a video's job: job, tasks that are not final, and video become `cancelled`, and their claims void. A video that
    /// waits for its first job (`uploaded`) becomes `cancelled` too.
    /// - Parameter messages: makes what follows for the job that was stopped.
    /// - Returns: the video as it is now; nil where there was nothing to stop.
    func cancelVideo(_ id: VideoID, messages: @Sendable @escaping (Job) -> [OutboxMessage]) async throws(ClairoError)
        -> Video?

    /// Takes up the video's last job where it failed or was cancelled: tasks that are `failed` or `cancelled` become
    /// `pending` with `attempts` more attempts allowed, those that succeeded stay; job `planning`, `running` or `finishing`
    /// by what is left, its attempt one higher, video `processing`. A `finish` task before whose time something is left to
    /// make is removed; the end of the last of those brings it again.
    /// - Parameters:
    ///   - lost: tasks of the job whose files are gone: they become `pending` too.
    ///   - messages: makes the message for each task that is pending now.
    /// - Returns: the job as it is now; nil where its last job is not failed or cancelled, or there is none.
    func retryJob(
        of id: VideoID, attempts: Int, lost: Set<TaskID>, messages: @Sendable @escaping (WorkTask) -> [OutboxMessage]
    ) async throws(ClairoError) -> Job?
}
