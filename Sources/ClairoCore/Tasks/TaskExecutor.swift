/// Runs one task somewhere: in this process, in a child, in a container.
public protocol TaskExecutor: Sendable {
    /// Does what `spec` says and returns when nothing of it runs any more.
    /// - Parameter stop: ends the work as soon as possible; it throws `cancelled` then.
    /// - Throws: the engine's own error, or what became of the place it ran in: `defect` for a crash, `capacity` for a lack
    ///   of memory or disk, `transient` for a place that was taken away.
    func run(
        _ spec: TaskSpec, io: TaskIO, observer: TaskObserver, stop: StopRequest
    ) async throws(ClairoError) -> TaskResult
}

/// Does the work of a task where it stands, on media from strangers: what executors put walls around.
public protocol TaskEngine: Sendable {
    /// Blocks; call it on a thread of its own.
    func run(
        _ spec: TaskSpec, io: TaskIO, observer: TaskObserver, stop: StopRequest
    ) throws(ClairoError) -> TaskResult
}

/// What a task reads and writes: all that it can reach of the world.
public struct TaskIO: Sendable {
    /// Nil for a task that reads what its job wrote, and no source.
    public var source: (any ByteSource)?
    /// The job's output folder, by the names of the plan; nil for a task that writes nothing. What an attempt may write, and
    /// under which names it is kept, is decided by who gives the folder.
    public var output: (any ObjectStore)?
    /// For a task that runs where `output` does not lead, and writes by itself; nil where no task may.
    public var remote: RemoteOutput?

    public init(
        source: (any ByteSource)? = nil, output: (any ObjectStore)? = nil, remote: RemoteOutput? = nil
    ) {
        self.source = source
        self.output = output
        self.remote = remote
    }
}

/// What the supervisor of a task is told while it runs. Called from any thread.
public struct TaskObserver: Sendable {
    /// The frames finished so far, over all rungs.
    public var progress: @Sendable (Int) -> Void
    /// How a whole job gets on.
    public var news: @Sendable (JobNews) -> Void
    /// That the settings of this worker are wrong, before the error is thrown: the task is not to blame then, and another
    /// worker may do it.
    public var refuse: @Sendable (ClairoError) -> Void

    public init(
        progress: @escaping @Sendable (Int) -> Void = { _ in },
        news: @escaping @Sendable (JobNews) -> Void = { _ in },
        refuse: @escaping @Sendable (ClairoError) -> Void = { _ in }
    ) {
        self.progress = progress
        self.news = news
        self.refuse = refuse
    }
}

/// How a task that runs on another machine takes part in an attempt: it writes into the output store by itself, under the
/// names that `AttemptFolder` gives, and what it says that it wrote is looked at before it counts.
public struct RemoteOutput: Sendable {
    /// The output store whole, not the job's folder.
    public var store: any BackingStore
    /// Takes what the task wrote, by the engine's names, for this attempt's files. Blocks.
    /// - Throws: where something is not there as it is told.
    public var adopt: @Sendable ([FileRecord]) throws(ClairoError) -> Void

    public init(
        store: any BackingStore, adopt: @escaping @Sendable ([FileRecord]) throws(ClairoError) -> Void
    ) {
        self.store = store
        self.adopt = adopt
    }
}
