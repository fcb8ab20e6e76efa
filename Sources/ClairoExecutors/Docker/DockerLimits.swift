/// Resource limits of a task's container.
public struct DockerLimits: Sendable, Hashable {
    /// The limits of a process, applied to the container. Memory includes kernel memory and caches.
    public var task: ProcessLimits
    /// The number of CPUs, or nil for all.
    public var cpus: Double?
    /// The maximum number of processes and threads. A chunk needs a few dozen, and 17 more for each rung in AV1.
    public var processes: Int
    /// The size of /tmp in bytes. It counts towards memory.
    public var scratchBytes: Int
    /// How long the container may take to connect after its start, in seconds.
    public var startSeconds: Double

    public init(
        task: ProcessLimits = ProcessLimits(), cpus: Double? = nil, processes: Int = 4096,
        scratchBytes: Int = 16 << 20, startSeconds: Double = 60
    ) {
        self.task = task
        self.cpus = cpus
        self.processes = processes
        self.scratchBytes = scratchBytes
        self.startSeconds = startSeconds
    }
}
