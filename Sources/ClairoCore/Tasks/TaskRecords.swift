/// The claim that somebody holds on a task: every change names it, and is refused once another attempt has begun.
public struct TaskClaim: Sendable, Hashable {
    /// The task.
    public var id: TaskID
    /// The fencing number.
    public var attempt: Int

    public init(id: TaskID, attempt: Int) {
        self.id = id
        self.attempt = attempt
    }
}

/// What a worker does with tasks: claims, leases and outcomes. Every change is one transaction, conditional on the claim, that returns
/// whether the claim still held; nothing is written otherwise. A call whose answer was lost may be made
/// again and says the same.
public protocol TaskRecords: Sendable {
    /// Claims, of the tasks that are due or whose lease has run out, the one with the earliest `queueAt`: state `running`,
    /// attempt one higher, a lease for `owner`. Where a lease has run out, a worker has died or been cut off: that is not the
    /// task's fault, so `maxAttempts` goes up too, to `WorkTask.mostAttempts` at most.
    /// - Returns: the task as it is now, or nil where none can be claimed.
    func claimNextTask(kinds: [WorkTask.Kind], owner: String, leaseSeconds: Double) async throws(ClairoError)
        -> WorkTask?

    /// Prolongs a lease and notes progress.
    func renewLease(_ claim: TaskClaim, leaseSeconds: Double, framesDone: Int) async throws(ClairoError) -> Bool

    /// Ends the plan task well: the job gets its plan and becomes `running`, and its tasks come to be.
    func succeedPlan(_ claim: TaskClaim, result: TaskResult, plan: Plan, tasks: [WorkTask], messages: [OutboxMessage])
        async throws(ClairoError) -> Bool

    /// Ends a chunk or audio task well. Where it was the job's last, the job becomes `finishing` in the same transaction, and
    /// `finish` and `messages` are written.
    /// - Parameters:
    ///   - finish: the task that ends the job; it is known beforehand, so whoever comes last writes it, once.
    ///   - messages: about `finish`.
    func succeedTask(_ claim: TaskClaim, result: TaskResult, finish: WorkTask, messages: [OutboxMessage])
        async throws(ClairoError) -> Bool

    /// Ends the finish task well: the renditions, the job `succeeded`, the video `ready` with its `output`.
    func succeedFinish(
        _ claim: TaskClaim, result: TaskResult, renditions: [Rendition], output: ProcessedOutput,
        messages: [OutboxMessage]
    ) async throws(ClairoError) -> Bool

    /// Ends an attempt badly: back to `pending`, to be taken again after `seconds`.
    /// - Parameter countsAsAttempt: false for `capacity`, which gives the attempt back to `maxAttempts`.
    func retryTask(
        _ claim: TaskClaim, failure: Failure, afterSeconds seconds: Double, countsAsAttempt: Bool,
        messages: [OutboxMessage]
    ) async throws(ClairoError) -> Bool

    /// Ends a task badly for good: task, job and video `failed` with the failure, the job's other tasks `cancelled`.
    /// - Parameter deadLetter: is kept too; what sends it to the dead-letter topic is among `messages`.
    func failTask(_ claim: TaskClaim, failure: Failure, messages: [OutboxMessage], deadLetter: DeadLetter?)
        async throws(ClairoError) -> Bool

    /// Hands a task back unfinished: `pending` and due at once, the attempt not counted in `maxAttempts`.
    func releaseTask(_ claim: TaskClaim, messages: [OutboxMessage]) async throws(ClairoError) -> Bool
}
