internal import CFFmpeg

/// Settings of the C library's allocator for a process whose memory is pictures.
public enum Allocator {
    /// Gives every block of a quarter of a megabyte or more a mapping of its own, so that it goes back to the system when it is
    /// freed. By default glibc raises that threshold with the first large block that is freed, and then keeps pictures
    /// and lookahead buffers of threads that have ended (mallopt(3)). Measured: 4 to 5 % less at the peak.
    public static func returnLargeBlocks() {
        mallopt(M_MMAP_THRESHOLD, 256 * 1024)
        mallopt(M_ARENA_MAX, 2)
    }
}
