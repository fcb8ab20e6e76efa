/// Queries for monitoring.
public protocol StatisticsRecords: Sendable {
    /// Counts and ages of videos, jobs, unfinished tasks and messages.
    ///
    /// A store counts large tables in parts and remembers the parts. Up to 100 000 rows of one state or topic, the
    /// counts are exact. Beyond that, changes of older rows appear after a few calls.
    func statistics() async throws(ClairoError) -> QueueStatistics

    /// The number of tasks in final states, counted like `statistics`.
    func finishedTasks() async throws(ClairoError) -> [WorkTask.Kind: [WorkTask.State: Int]]

    /// Counts unfinished work, each kind up to `PendingWork.most`.
    func pendingWork() async throws(ClairoError) -> PendingWork
}

/// The amount of unfinished work: videos without a job, non-final tasks, messages in the outbox.
public struct PendingWork: Sendable, Codable, Hashable {
    /// Videos in state `uploaded`.
    public var videos: Int
    /// Tasks that are pending or running.
    public var tasks: Int
    /// Messages in the outbox, except webhooks.
    public var messages: Int

    /// The largest count of a kind, which also stands for more.
    public static let most = 1000

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
        /// Pending tasks that can be claimed now. Too large if more than `QueueStatistics.most` wait for a later time.
        public var due = 0
        /// Running tasks whose lease has expired: the worker is dead or cut off, and no other has claimed them. Up to
        /// `QueueStatistics.most`.
        public var abandoned = 0

        public init() {}
    }

    /// Messages that are not delivered.
    public struct Outbox: Sendable, Hashable {
        /// Undelivered messages.
        public var pending = 0
        /// The age of the oldest one.
        public var oldestSeconds: Double?
        /// Messages that are due and not leased, in each lane up to `QueueStatistics.most`.
        public var due = 0
        /// How long the most overdue message has been due.
        public var overdueSeconds: Double?

        public init() {}
    }

    /// The largest number of rows that are counted by a time that passes, such as messages that are due.
    public static let most = 50_000

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
