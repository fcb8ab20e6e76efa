/// What a task's container may use.
public struct DockerLimits: Sendable, Hashable {
    /// What holds for a process holds for a container: memory (all of it here, kernel's and caches' included), CPU time, open files,
    /// time, output.
    public var task: ProcessLimits
    /// CPUs that its threads together keep busy; nil for all that the daemon has.
    public var cpus: Double?
    /// Processes and threads. A chunk at its largest has a few dozen.
    public var processes: Int
    /// Bytes of /tmp, which lies in its memory.
    public var scratchBytes: Int
    /// From its start until it asks for its task.
    public var startSeconds: Double

    public init(
        task: ProcessLimits = ProcessLimits(), cpus: Double? = nil, processes: Int = 512,
        scratchBytes: Int = 16 << 20, startSeconds: Double = 60
    ) {
        self.task = task
        self.cpus = cpus
        self.processes = processes
        self.scratchBytes = scratchBytes
        self.startSeconds = startSeconds
    }
}
