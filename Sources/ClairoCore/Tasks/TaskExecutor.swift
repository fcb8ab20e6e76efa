/// Runs tasks somewhere: in this process, in a child process, in a container.
public protocol TaskExecutor: Sendable {
    /// Runs a task and returns when no part of it is running any more.
    /// - Parameter stop: Ends the task as soon as possible with the error `cancelled`.
    /// - Throws: The engine's error, or the fate of its process: `defect` for a crash, `capacity` for lack of memory or
    ///   disk, `transient` if it was killed from outside, `refused` if a service or this machine rejects the worker.
    func run(
        _ spec: TaskSpec, io: TaskIO, observer: TaskObserver, stop: StopRequest
    ) async throws(ClairoError) -> TaskResult
}

/// Does the work of a task in this process, on untrusted media. Executors sandbox it.
public protocol TaskEngine: Sendable {
    /// Blocks. Call it on a dedicated thread.
    func run(
        _ spec: TaskSpec, io: TaskIO, observer: TaskObserver, stop: StopRequest
    ) throws(ClairoError) -> TaskResult
}

/// The input and output of a task. A task can access nothing else.
public struct TaskIO: Sendable {
    /// The source; nil for a task that reads only the job's output.
    public var source: (any ByteSource)?
    /// The job's output folder, with the names of the plan; nil for a task that writes nothing. The provider of the
    /// folder decides what an attempt may write and under which names it is stored.
    public var output: (any ObjectStore)?
    /// Direct access to the store for a task on another machine, which cannot use `output`; nil if that is not allowed.
    public var remote: RemoteOutput?

    public init(
        source: (any ByteSource)? = nil, output: (any ObjectStore)? = nil, remote: RemoteOutput? = nil
    ) {
        self.source = source
        self.output = output
        self.remote = remote
    }
}

/// Callbacks to the supervisor of a task while it runs. They may be called on any thread.
public struct TaskObserver: Sendable {
    /// Receives the number of frames finished so far, over all rungs.
    public var progress: @Sendable (Int) -> Void
    /// Receives the progress and notes of a whole job.
    public var update: @Sendable (JobUpdate) -> Void

    public init(
        progress: @escaping @Sendable (Int) -> Void = { _ in },
        update: @escaping @Sendable (JobUpdate) -> Void = { _ in }
    ) {
        self.progress = progress
        self.update = update
    }
}

/// Lets a task on another machine write to the output store itself, under the names given by `AttemptFolder`. The files
/// it reports are checked before they count.
public struct RemoteOutput: Sendable {
    /// The whole output store, not the job's folder.
    public var store: any BackingStore
    /// Checks the files that the task reports, by the engine's names, and adopts them for this attempt. Blocks.
    /// - Throws: An error if a file does not exist as reported.
    public var adopt: @Sendable ([FileRecord]) throws(ClairoError) -> Void

    public init(
        store: any BackingStore, adopt: @escaping @Sendable ([FileRecord]) throws(ClairoError) -> Void
    ) {
        self.store = store
        self.adopt = adopt
    }
}
