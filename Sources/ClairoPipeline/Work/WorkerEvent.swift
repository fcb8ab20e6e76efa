public import ClairoCore

/// What a worker tells of a task: for logs and for counters.
public struct WorkerEvent: Sendable {
    public enum Content: Sendable {
        case began
        case succeeded(TaskResult)
        case failed(ClairoError, Consequence)
        /// Handed back unfinished.
        case released
        /// The claim had passed to another, or was void; what was made counts for nothing.
        case lost
    }

    /// What follows from a failed attempt.
    public enum Consequence: String, Sendable, Hashable {
        /// The task is tried again.
        case retry
        /// The job has failed.
        case failure
        /// The job has failed, and the task is kept for people to look at.
        case deadLetter
        /// The task is for other workers; this one ends.
        case handedBack
    }

    public var content: Content
    /// As it was claimed.
    public var task: WorkTask
    /// As it was when the attempt began; nil where it could not be read, or is gone.
    public var job: Job?

    init(_ content: Content, _ task: WorkTask, _ job: Job?) {
        self.content = content
        self.task = task
        self.job = job
    }
}
