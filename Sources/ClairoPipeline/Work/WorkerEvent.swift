public import ClairoCore

/// A worker's event about a task, for logs and metrics.
public struct WorkerEvent: Sendable {
    /// The content of an event.
    public enum Content: Sendable {
        /// The worker has started an attempt.
        case began
        /// The attempt has succeeded.
        case succeeded(TaskResult)
        /// The attempt has failed, with the consequence.
        case failed(ClairoError, Consequence)
        /// The task was released unfinished.
        case released
        /// Another worker had claimed the task, or the claim was void. The result or error was discarded.
        case lost
    }

    /// The consequence of a failed attempt.
    public enum Consequence: String, Sendable, Hashable {
        /// The task will be retried.
        case retry
        /// The job has failed.
        case failure
        /// The job has failed, and the task was dead-lettered.
        case deadLetter
    }

    /// What happened.
    public var content: Content
    /// The task as claimed.
    public var task: WorkTask
    /// The job at the start of the attempt; nil if it could not be read or was deleted.
    public var job: Job?

    init(_ content: Content, _ task: WorkTask, _ job: Job?) {
        self.content = content
        self.task = task
        self.job = job
    }
}
