internal import CLinux
internal import ClairoCore
internal import Glibc

/// Resource limits of a task's process. The kernel enforces the first group (setrlimit(2)), the parent the second.
///
/// If this process was itself started with a lower limit (ulimit, a systemd unit, a batch system), the lower one
/// applies: an unprivileged process cannot raise it, and a privileged one should not.
///
/// A task normally takes about a minute, so one that runs for hours has a problem. A job run by hand (`byHand`) has no
/// limit of time, because its user can stop it.
public struct ProcessLimits: Sendable, Hashable {
    /// Private writable memory in bytes (RLIMIT_DATA). Address space (RLIMIT_AS) also has a limit, a much higher one,
    /// because other mappings are not counted but need page tables.
    public var memory: Int64
    /// CPU time over all threads, in seconds.
    public var cpuSeconds: Int
    /// The maximum file size in bytes. The process needs to write no files.
    public var fileSize: Int64
    /// Open file descriptors.
    public var openFiles: Int

    /// Wall-clock time from start to end in seconds, including waiting.
    public var wallSeconds: Double
    /// Seconds without a request, a finished frame or a reply in preparation, after which the task most likely loops
    /// forever.
    public var stallSeconds: Double
    /// The maximum number of bytes written to the output folder, over all objects. A job's tasks have a much lower
    /// limit (`TaskSpec.Work.outputLimit`).
    public var outputBytes: Int64

    /// The limits that this process was started with and that are lower than its task's would be (`withinThisProcess`).
    private(set) var inherited: [InheritedLimit] = []

    /// - Parameter memory: The memory limit in bytes, or nil for that of a task that runs alone on the machine.
    public init(
        memory: Int64? = nil, cpuSeconds: Int = 24 * 3600, fileSize: Int64 = 0, openFiles: Int = 64,
        wallSeconds: Double = 12 * 3600, stallSeconds: Double = 120, outputBytes: Int64 = 1 << 40
    ) {
        self.memory = memory ?? Self.memory(of: MachineMemory.bytes, tasks: 1)
        self.cpuSeconds = cpuSeconds
        self.fileSize = fileSize
        self.openFiles = openFiles
        self.wallSeconds = wallSeconds
        self.stallSeconds = stallSeconds
        self.outputBytes = outputBytes
    }

    /// The limits for a job run by hand: only a process without progress is killed.
    public static let byHand = ProcessLimits(
        memory: MachineMemory.bytes, cpuSeconds: 100 * 365 * 86_400, wallSeconds: 100 * 365 * 86_400)

    /// Returns the memory limit of a task in bytes, if `tasks` run at once on a machine with `total` bytes.
    ///
    /// A quarter of the memory is reserved. Of the rest, a task gets twice its share, because tasks are seldom all
    /// large, and at least 2 GiB, which a ladder from 4K needs. So the tasks together may use more memory than the
    /// machine has. Then the kernel kills one of them and not the worker (`TaskChild`), and the task is retried later.
    public static func memory(of total: Int64, tasks: Int) -> Int64 {
        let most = total / 4 * 3
        return min(most, max(most / Int64(max(tasks, 1)) * 2, 2 << 30))
    }

    /// Allowance in bytes for address space that is reserved but unused: stacks, and a malloc arena for each thread.
    private static let unused: Int64 = 128 << 30

    /// The address space of a task in bytes.
    private var addressSpace: Int64 { memory + Self.unused }

    /// These limits as they apply to a child of this process.
    /// - Parameter own: Returns a limit of this process.
    func withinThisProcess(_ own: (ResourceLimit.Resource) -> ResourceLimit = ResourceLimit.ofThisProcess) -> Self {
        var limits = self
        limits.inherited = []
        let data = own(.data)
        if data.soft < UInt64(max(0, memory)) {
            limits.memory = Int64(data.soft)
            limits.inherited.append(InheritedLimit(resource: .data, value: limits.memory))
        }
        // A task seldom reserves more than twice its memory, so a higher limit is not the one that it reaches.
        let space = own(.addressSpace)
        if space.soft < UInt64(max(0, memory)) * 2 {
            limits.inherited.append(InheritedLimit(resource: .addressSpace, value: Int64(space.soft)))
        }
        let time = ResourceLimit.cpuTime(cpuSeconds).lowered(to: own(.cpuTime)).soft
        if time < UInt64(max(0, cpuSeconds)) {
            limits.cpuSeconds = Int(time)
            limits.inherited.append(InheritedLimit(resource: .cpuTime, value: Int64(time)))
        }
        return limits
    }

    /// Checks that a small task fits into the limits that this process was started with.
    /// - Throws: `configuration` (78) if none does.
    func checkInherited() throws(ClairoError) {
        if let limit = inherited.first(where: \.isTooLow) { throw limit.refusal }
    }

    /// Applies the limits to a running process that has not received its task yet.
    /// - Returns: Whether all limits were set.
    func apply(to process: pid_t) -> Bool {
        let values: [(ResourceLimit.Resource, ResourceLimit)] = [
            (.data, ResourceLimit(memory)), (.addressSpace, ResourceLimit(addressSpace)),
            (.cpuTime, .cpuTime(cpuSeconds)), (.fileSize, ResourceLimit(fileSize)),
            (.openFiles, ResourceLimit(Int64(openFiles))), (.core, ResourceLimit(0)),
        ]
        return values.allSatisfy { resource, limit in
            let limit = limit.lowered(to: .ofThisProcess(resource))
            return clairo_limit(process, resource.number, limit.soft, limit.hard) == 0
        }
    }
}
