internal import CLinux
internal import ClairoCore
internal import Glibc

/// What a task's process may use. The kernel enforces the first group (setrlimit(2)), the parent the second.
///
/// A task is a piece of work that a machine does in a minute or so, so that hours for it are a sign of something wrong. A
/// job that is run by hand (`byHand`) has no such end: it takes the time that it takes, with somebody who can stop it.
public struct ProcessLimits: Sendable, Hashable {
    /// Bytes of private writable memory (RLIMIT_DATA). Address space (RLIMIT_AS) has a limit far above it, against mappings
    /// that are not counted but need page tables.
    public var memory: Int64
    /// CPU seconds of all its threads together.
    public var cpuSeconds: Int
    /// Bytes of a file; it has none to write.
    public var fileSize: Int64
    public var openFiles: Int

    /// From the start to the end, waiting included.
    public var wallSeconds: Double
    /// Without a request, a finished frame or an answer being prepared for it: an endless loop, most likely.
    public var stallSeconds: Double
    /// Bytes that it may write to the output folder, all objects together; the tasks of a job may write much less
    /// (`TaskSpec.Work.outputLimit`).
    public var outputBytes: Int64

    /// - Parameter memory: nil for what one task may have that has the machine to itself.
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

    /// For a job that somebody runs by hand: only what gets nowhere is ended.
    public static let byHand = ProcessLimits(
        memory: MachineMemory.bytes, cpuSeconds: 100 * 365 * 86_400, wallSeconds: 100 * 365 * 86_400)

    /// Bytes for one of so many tasks that run at once.
    ///
    /// A quarter of the memory is for the rest. Of the others a task gets twice its share, since seldom are all of them large,
    /// and 2 GiB in any case, which a ladder from 4K needs. So all of them together may ask for more than there is: then
    /// the kernel ends one of them, and not the worker (`TaskChild`), and it is done again later.
    public static func memory(of total: Int64, tasks: Int) -> Int64 {
        let most = total / 4 * 3
        return min(most, max(most / Int64(max(tasks, 1)) * 2, 2 << 30))
    }

    /// Address space that is reserved and not used: stacks, and an arena of malloc for each thread.
    private static let unused: Int64 = 128 << 30

    /// Sets them for a running process, which has not yet been given anything to do.
    /// - Returns: whether all of them hold.
    func apply(to process: pid_t) -> Bool {
        // Ten seconds lie between SIGXCPU, which tells what happened, and SIGKILL.
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
