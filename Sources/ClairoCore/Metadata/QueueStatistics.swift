/// Queries for monitoring.
public protocol StatisticsRecords: Sendable {
    /// Counts and ages of everything that has not ended. Its cost does not depend on the number of ended jobs.
    func statistics() async throws(ClairoError) -> QueueStatistics

    /// The number of tasks in final states. Reads all tasks, so call it rarely.
    func finishedTasks() async throws(ClairoError) -> [WorkTask.Kind: [WorkTask.State: Int]]

    /// Counts unfinished work: videos without a job, non-final tasks, messages in the outbox.
    func pendingWork() async throws(ClairoError) -> PendingWork
}

/// The amount of unfinished work.
public struct PendingWork: Sendable, Codable, Hashable {
    /// Videos in state `uploaded`.
    public var videos: Int
    /// Tasks that are pending or running.
    public var tasks: Int
    /// Messages in the outbox, except webhooks.
    public var messages: Int

    public init(videos: Int, tasks: Int, messages: Int) {
        self.videos = videos
        self.tasks = tasks
        self.messages = messages
    }

    /// Whether nothing is left to do.
    public var isEmpty: Bool { videos == 0 && tasks == 0 && messages == 0 }
}

/// A snapshot of the pipeline. Ages are in seconds, by the database's clock.
public struct QueueStatistics: Sendable, Hashable {
    /// The items in one state.
    public struct Group: Sendable, Hashable {
        /// The number of items.
        public var count: Int
        /// Nil for a final state, or without items.
        public var oldestSeconds: Double?

        public init(count: Int, oldestSeconds: Double?) {
            self.count = count
            self.oldestSeconds = oldestSeconds
        }
    }

    /// The unfinished tasks of one kind.
    public struct Tasks: Sendable, Hashable {
        /// Tasks that wait.
        public var pending = Group(count: 0, oldestSeconds: nil)
        /// Tasks that a worker holds.
        public var running = Group(count: 0, oldestSeconds: nil)
        /// Pending tasks that can be claimed now.
        public var due = 0
        /// Running tasks whose lease has expired: the worker is dead or cut off, and no other has claimed them.
        public var abandoned = 0

        public init() {}
    }

    /// Messages that are not delivered.
    public struct Outbox: Sendable, Hashable {
        /// Undelivered messages.
        public var pending = 0
        /// The age of the oldest one.
        public var oldestSeconds: Double?
        /// Messages that are due and not leased.
        public var due = 0
        /// How long the most overdue message has been due.
        public var overdueSeconds: Double?

        public init() {}
    }

    /// Videos by state.
    public var videos: [Video.State: Int] = [:]
    /// Jobs by state.
    public var jobs: [Job.State: Group] = [:]
    /// Tasks by kind.
    public var tasks: [WorkTask.Kind: Tasks] = [:]
    /// The number of workers that hold tasks.
    public var workers = 0
    /// Messages that are not delivered.
    public var outbox = Outbox()
    /// Messages of the `local:` queue, by topic.
    public var queued: [String: Int] = [:]
    /// Dead letters that have not been redriven, by topic.
    public var deadLetters: [String: Int] = [:]

    public init() {}
}
