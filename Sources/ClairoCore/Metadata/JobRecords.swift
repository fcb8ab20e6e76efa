/// Reads jobs and their tasks.
public protocol JobRecords: Sendable {
    /// A job; nil if there is none with this id.
    func job(_ id: JobID) async throws(ClairoError) -> Job?

    /// Jobs of a video, newest first. A document in a row that cannot be read, such as `plan`, is nil in the list and
    /// is reported.
    func jobs(of id: VideoID) async throws(ClairoError) -> [Job]

    /// Jobs in these states, oldest first, after `after`.
    func jobs(in states: Set<Job.State>, after: JobID?, limit: Int) async throws(ClairoError) -> [Job]

    /// The tasks of a job, sorted by kind and index.
    func tasks(of id: JobID) async throws(ClairoError) -> [WorkTask]

    /// The same, to show them: a document in a row that cannot be read, such as `result`, is nil and is reported.
    func listTasks(of id: JobID) async throws(ClairoError) -> [WorkTask]
}

/// The database's jobs. Each update is one transaction that includes the resulting messages.
public protocol JobLifecycle: Sendable {
    /// Starts a job: inserts the job, its tasks and messages, and updates the video (state `processing`, `jobID`, no
    /// error). A running job of the video is cancelled.
    /// - Returns: False, and writes nothing, if the video is not in one of `states`, because another process was first.
    /// - Throws: `noInput` (66) if the video does not exist.
    func startJob(_ job: Job, tasks: [WorkTask], messages: [OutboxMessage], from states: Set<Video.State>)
        async throws(ClairoError) -> Bool

    /// The latest `queueAt` of the tenant's non-final jobs of these priorities, or nil.
    func lastQueueAt(tenant: String, priorities: Set<Priority>) async throws(ClairoError) -> Timestamp?

    /// Cancels a video's job. The job, its non-final tasks and the video become `cancelled`, and claims become void. A
    /// video that waits for its first job (`uploaded`) becomes `cancelled` too.
    /// - Parameter messages: Returns the messages for the cancelled job.
    /// - Returns: The updated video, or nil if there was nothing to cancel.
    func cancelVideo(_ id: VideoID, messages: @Sendable @escaping (Job) -> [OutboxMessage]) async throws(ClairoError)
        -> Video?

    /// Resumes the video's last job if it failed or was cancelled. Tasks that are `failed` or `cancelled` become
    /// `pending` with `attempts` additional attempts; succeeded tasks are kept. The job becomes `planning`, `running`
    /// or `finishing` depending on what is left, with a higher attempt, and the video `processing`. A `finish` task is
    /// removed while other tasks are left; the last of these creates it again.
    /// - Parameters:
    ///   - lost: Tasks whose files are missing. They become `pending` too.
    ///   - messages: Returns the message for each pending task.
    /// - Returns: The updated job, or nil if there is no last job or it is neither failed nor cancelled.
    func retryJob(
        of id: VideoID, attempts: Int, lost: Set<TaskID>, messages: @Sendable @escaping (WorkTask) -> [OutboxMessage]
    ) async throws(ClairoError) -> Job?
}
