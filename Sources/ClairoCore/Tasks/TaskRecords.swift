/// A worker's claim on a task. Every update names it, and is rejected once another attempt has started.
public struct TaskClaim: Sendable, Hashable {
    /// The task.
    public var id: TaskID
    /// Its job.
    public var jobID: JobID
    /// Its video.
    public var videoID: VideoID
    /// The fencing number.
    public var attempt: Int

    /// The claim of the worker that got this task.
    public init(_ task: WorkTask) {
        id = task.id
        jobID = task.jobID
        videoID = task.videoID
        attempt = task.attempt
    }
}

/// What a worker needs to know about a task that it has claimed.
public struct TaskContext: Sendable, Hashable {
    /// The task's job.
    public var job: Job
    /// The job's video.
    public var video: Video

    public init(job: Job, video: Video) {
        self.job = job
        self.video = video
    }
}

/// A worker's operations on tasks: claims, leases and outcomes. Each change is one transaction that is conditional on
/// the claim. It returns whether the claim was still valid; otherwise nothing is written. A call may be repeated after
/// a lost reply and returns the same result.
public protocol TaskRecords: Sendable {
    /// Claims the task with the earliest `queueAt` among those that are due or have an expired lease. The task becomes
    /// `running`, its attempt is incremented, and `owner` gets a lease. An expired lease means that a worker died or
    /// was cut off, which is not the task's fault, so `maxAttempts` is incremented too, up to `WorkTask.mostAttempts`.
    /// - Returns: The claimed task, or nil if none can be claimed.
    func claimNextTask(kinds: [WorkTask.Kind], owner: String, leaseSeconds: Double) async throws(ClairoError)
        -> WorkTask?

    /// The job and the video of a task, read at once; nil if they were deleted.
    func context(of claim: TaskClaim) async throws(ClairoError) -> TaskContext?

    /// Renews a lease and records progress.
    func renewLease(_ claim: TaskClaim, leaseSeconds: Double, framesDone: Int) async throws(ClairoError) -> Bool

    /// Completes the plan task: stores the plan and the warnings, makes the job `running`, and creates its tasks.
    func succeedPlan(_ claim: TaskClaim, result: TaskResult, plan: Plan, tasks: [WorkTask], messages: [OutboxMessage])
        async throws(ClairoError) -> Bool

    /// Completes a chunk or track task. If it was the job's last, the job becomes `finishing` in the same transaction,
    /// and `finish` and `messages` are inserted.
    /// - Parameters:
    ///   - finish: The task that ends the job. It is deterministic, so the last task inserts it exactly once.
    ///   - messages: The messages about `finish`.
    func succeedTask(_ claim: TaskClaim, result: TaskResult, finish: WorkTask, messages: [OutboxMessage])
        async throws(ClairoError) -> Bool

    /// Completes the finish task: stores the renditions and the warnings, makes the job `succeeded` and the video
    /// `ready` with its `output`.
    func succeedFinish(
        _ claim: TaskClaim, result: TaskResult, renditions: [Rendition], output: ProcessedOutput,
        messages: [OutboxMessage]
    ) async throws(ClairoError) -> Bool

    /// Ends a failed attempt: the task becomes `pending` again and is due after `seconds`.
    /// - Parameter countsAsAttempt: False for `capacity`, which increments `maxAttempts`.
    func retryTask(
        _ claim: TaskClaim, failure: Failure, afterSeconds seconds: Double, countsAsAttempt: Bool,
        messages: [OutboxMessage]
    ) async throws(ClairoError) -> Bool

    /// Fails a task permanently: task, job and video become `failed`, and the job's other tasks `cancelled`.
    /// - Parameter deadLetter: A dead letter to store. The message that sends it to the dead-letter topic is among
    ///   `messages`.
    func failTask(_ claim: TaskClaim, failure: Failure, messages: [OutboxMessage], deadLetter: DeadLetter?)
        async throws(ClairoError) -> Bool

    /// Releases an unfinished task: `pending` and due at once, without counting the attempt.
    func releaseTask(_ claim: TaskClaim, messages: [OutboxMessage]) async throws(ClairoError) -> Bool
}
