/// A job whose folder in the output store holds obsolete objects.
///
/// The transactions that create garbage mark the job: one that ends unsuccessfully, one that succeeds although an attempt
/// at a task did not, and one whose output is replaced. So upkeep lists only the folders of these jobs.
public struct JobWithGarbage: Sendable, Hashable {
    /// The job.
    public var job: Job
    /// Since when it has garbage.
    public var since: Timestamp

    public init(job: Job, since: Timestamp) {
        self.job = job
        self.since = since
    }
}

/// A removed dead letter, for logs.
public struct RemovedDeadLetter: Sendable, Hashable {
    /// Its id.
    public var id: MessageID
    /// Its topic.
    public var topic: String
    /// When it was dead-lettered.
    public var createdAt: Timestamp
    /// Whether it had been redriven.
    public var wasRedriven: Bool

    public init(id: MessageID, topic: String, createdAt: Timestamp, wasRedriven: Bool) {
        self.id = id
        self.topic = topic
        self.createdAt = createdAt
        self.wasRedriven = wasRedriven
    }
}

/// What upkeep removes, and what bounds it.
public protocol GarbageRecords: Sendable {
    /// Jobs that have had garbage for `seconds` or longer, longest first.
    /// - Parameter last: The last job of the previous page.
    func jobsWithGarbage(olderThanSeconds seconds: Double, after last: JobWithGarbage?, limit: Int)
        async throws(ClairoError) -> [JobWithGarbage]

    /// Fences a job before its whole output is removed: from then on it cannot be resumed, and a retry starts a new job.
    /// - Returns: False, and writes nothing, if the job's state or attempt has changed since it was read.
    func beginSweep(of job: Job) async throws(ClairoError) -> Bool

    /// Removes the mark of a job that has no garbage any more, unless it changed since it was read.
    func endSweep(of job: Job) async throws(ClairoError)

    /// Uploads that are not complete and have not changed for `seconds`, longest first.
    func idleUploads(olderThanSeconds seconds: Double, limit: Int) async throws(ClairoError) -> [UploadSession]

    /// Removes dead letters until at most `count` with a total of `bytes` are left: redriven ones first, then the oldest.
    /// - Parameter limit: The maximum number to remove.
    /// - Returns: The removed dead letters.
    func trimDeadLetters(toCount count: Int, bytes: Int64, limit: Int) async throws(ClairoError) -> [RemovedDeadLetter]

    /// Removes the oldest unleased messages of each topic of the `local:` queue that the pipeline does not consume, until
    /// `count` are left.
    /// - Parameter limit: The maximum number to remove of each topic.
    /// - Returns: The number of removed messages.
    func trimQueue(toCount count: Int, limit: Int) async throws(ClairoError) -> Int
}
