internal import Libav

/// Memory settings of a process that transcodes; to be called once, before its threads start.
public enum ProcessMemory {
    public static func tune() { Allocator.returnLargeBlocks() }
}
