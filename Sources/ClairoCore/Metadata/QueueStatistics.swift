/// What monitoring asks the database.
public protocol StatisticsRecords: Sendable {
    /// How many there are of everything that is not over, and how long they have been there. It stays quick however many
    /// jobs are over.
    func statistics() async throws(ClairoError) -> QueueStatistics

    /// Tasks in final states. It reads all tasks there are, so ask seldom.
    func finishedTasks() async throws(ClairoError) -> [WorkTask.Kind: [WorkTask.State: Int]]

    /// Whether anything is left to do: videos without a job, tasks that are not final, messages in the outbox.
    func pendingWork() async throws(ClairoError) -> PendingWork
}

/// What is left to do.
public struct PendingWork: Sendable, Codable, Hashable {
    /// Videos in state `uploaded`.
    public var videos: Int
    /// Tasks that are pending or running.
    public var tasks: Int
    /// Messages in the outbox, but for webhooks.
    public var messages: Int

    public init(videos: Int, tasks: Int, messages: Int) {
        self.videos = videos
        self.tasks = tasks
        self.messages = messages
    }

    /// Whether nothing is left to do.
    public var isEmpty: Bool { videos == 0 && tasks == 0 && messages == 0 }
}

/// The pipeline in numbers, at one moment. Ages are in seconds, by the database's clock.
public struct QueueStatistics: Sendable, Hashable {
    /// Those in one state.
    public struct Group: Sendable, Hashable {
        /// How many there are.
        public var count: Int
        /// Nil for a final state, and where there are none.
        public var oldestSeconds: Double?

        public init(count: Int, oldestSeconds: Double?) {
            self.count = count
            self.oldestSeconds = oldestSeconds
        }
    }

    /// The tasks of one kind that have not ended.
    public struct Tasks: Sendable, Hashable {
        /// Tasks that wait.
        public var pending = Group(count: 0, oldestSeconds: nil)
        /// Tasks that a worker holds.
        public var running = Group(count: 0, oldestSeconds: nil)
        /// Of the pending ones, those that may be taken now.
        public var due = 0
        /// Of the running ones, those whose lease has run out: their worker is dead or cut off, and nobody took over.
        public var abandoned = 0

        public init() {}
    }

    /// Messages that are not delivered.
    public struct Outbox: Sendable, Hashable {
        /// Messages not yet delivered.
        public var pending = 0
        /// Age of the oldest of them.
        public var oldestSeconds: Double?
        /// Those that should be delivered now, by whoever comes first.
        public var due = 0
        /// For how long the one that has waited longest has been due.
        public var overdueSeconds: Double?

        public init() {}
    }

    /// Videos by state.
    public var videos: [Video.State: Int] = [:]
    /// Jobs by state.
    public var jobs: [Job.State: Group] = [:]
    /// Tasks by kind.
    public var tasks: [WorkTask.Kind: Tasks] = [:]
    /// Workers that hold tasks.
    public var workers = 0
    /// Messages that are not delivered.
    public var outbox = Outbox()
    /// Messages of the `local:` queue, by topic.
    public var queued: [String: Int] = [:]
    /// Those that nobody has tried again, by topic.
    public var deadLetters: [String: Int] = [:]

    public init() {}
}
