internal import CLinux
internal import ClairoCore
internal import Glibc

/// Resource limits of a task's process. The kernel enforces the first group (setrlimit(2)), the parent the second.
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

    /// Applies the limits to a running process that has not received its task yet.
    /// - Returns: Whether all limits were set.
    func apply(to process: pid_t) -> Bool {
        // The soft limit sends SIGXCPU, which identifies the cause, ten seconds before the hard limit sends SIGKILL.
        let cpu = Int64(cpuSeconds)
        let values = [
            (RLIMIT_DATA, memory, memory), (RLIMIT_AS, memory + Self.unused, memory + Self.unused),
            (RLIMIT_CPU, cpu, cpu + 10), (RLIMIT_FSIZE, fileSize, fileSize),
            (RLIMIT_NOFILE, Int64(openFiles), Int64(openFiles)), (RLIMIT_CORE, 0, 0),
        ]
        return values.allSatisfy { resource, soft, hard in
            clairo_limit(process, Int32(resource.rawValue), UInt64(max(0, soft)), UInt64(max(0, hard))) == 0
        }
    }
}
