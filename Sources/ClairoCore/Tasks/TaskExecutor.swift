/// Runs one task somewhere: in this process, in a child, in a container.
public protocol TaskExecutor: Sendable {
    /// Does what `spec` says and returns when nothing of it runs any more.
    /// - Parameter stop: ends the work as soon as possible; it throws `cancelled` then.
    /// - Throws: the engine's own error, or what became of the place it ran in: `defect` for a crash, `capacity` for a lack
    ///   of memory or disk, `transient` for a place that was taken away.
    func run(_ spec: TaskSpec, host: TaskHost, stop: StopRequest) async throws(ClairoError) -> TaskResult
}

/// Does the work of a task where it stands, on media from strangers: what executors put walls around.
public protocol TaskEngine: Sendable {
    /// Blocks; call it on a thread of its own.
    func run(_ spec: TaskSpec, host: TaskHost, stop: StopRequest) throws(ClairoError) -> TaskResult
}

/// All that a task can reach of the world: its source, its output folder, and an ear for its progress.
public struct TaskHost: Sendable {
    public var source: any ByteSource
    /// The job's output folder, by the names of the plan. What an attempt may write, and under which names it is kept, is
    /// the host's affair.
    public var output: any ObjectStore
    /// Is given the frames finished so far, over all rungs, from any thread.
    public var progress: @Sendable (Int) -> Void
    /// Is told how a whole job gets on, from any thread.
    public var news: @Sendable (JobNews) -> Void
    /// For a task that runs where `output` does not lead, and writes by itself; nil where nobody may.
    public var remote: RemoteOutput?
    /// Is told where the settings of this worker are wrong, before the error is thrown: the task is not to blame then, and
    /// others may do it.
    public var refuse: @Sendable (ClairoError) -> Void

    public init(
        source: any ByteSource, output: any ObjectStore, remote: RemoteOutput? = nil,
        refuse: @escaping @Sendable (ClairoError) -> Void = { _ in },
        news: @escaping @Sendable (JobNews) -> Void = { _ in }, progress: @escaping @Sendable (Int) -> Void
    ) {
        self.source = source
        self.output = output
        self.news = news
        self.remote = remote
        self.refuse = refuse
        self.progress = progress
    }
}

/// How a task that runs on another machine takes part in an attempt: it writes into the output store by itself, under the
/// names that `AttemptFolder` gives, and what it says that it wrote is looked at before it counts.
public struct RemoteOutput: Sendable {
    /// The output store whole, not the job's folder.
    public var store: any ObjectStore
    /// Takes what the task wrote, by the engine's names, for this attempt's files. Blocks.
    /// - Throws: where something is not there as it is told.
    public var adopt: @Sendable ([FileRecord]) throws(ClairoError) -> Void

    public init(
        store: any ObjectStore, adopt: @escaping @Sendable ([FileRecord]) throws(ClairoError) -> Void
    ) {
        self.store = store
        self.adopt = adopt
    }
}
