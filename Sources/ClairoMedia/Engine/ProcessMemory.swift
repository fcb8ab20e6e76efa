internal import Libav

/// Memory settings of a process that transcodes; to be called once, before its threads start.
public enum ProcessMemory {
    /// Makes the allocator return large blocks to the system as soon as they are freed. Call it once, at the start.
    public static func tune() { Allocator.returnLargeBlocks() }
}
