internal import Libav

/// Memory settings of a process that transcodes.
public enum ProcessMemory {
    /// Makes the allocator return large blocks to the system as soon as they are freed. Call once, before threads
    /// start.
    public static func tune() { Allocator.returnLargeBlocks() }
}
