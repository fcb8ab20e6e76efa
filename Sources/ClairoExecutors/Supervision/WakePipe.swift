internal import CLinux
internal import ClairoCore
internal import Glibc
internal import Synchronization

/// A pipe that wakes a thread that waits in poll(2). Once it is signalled as over, it stays signalled.
final class WakePipe: Sendable {
    private let ends: (read: Int32, write: Int32)
    private let signaled = Atomic<Bool>(false)

    init() throws(ClairoError) {
        var ends: [Int32] = [0, 0]
        guard pipe2(&ends, O_CLOEXEC | O_NONBLOCK) == 0 else {
            throw .capacity("Cannot create a pipe for a task: \(String(cString: strerror(errno)))")
        }
        self.ends = (ends[0], ends[1])
    }

    deinit {
        close(ends.read)
        close(ends.write)
    }

    /// Whether `signal(isOver: true)` was called: the connection to the child has ended. Other signals, such as a stop
    /// request, only wake the thread.
    var isSignaled: Bool { signaled.load(ordering: .acquiring) }

    func signal(isOver: Bool = true) {
        if isOver { signaled.store(true, ordering: .releasing) }
        var byte: UInt8 = 0
        _ = write(ends.write, &byte, 1)
    }

    /// Waits until the pipe or `descriptor` is readable.
    func wait(or descriptor: Int32?, timeout: Duration) {
        var sets = [pollfd(fd: isSignaled ? -1 : ends.read, events: Int16(POLLIN), revents: 0)]
        if let descriptor { sets.append(pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)) }
        let milliseconds = timeout.components.seconds * 1000 + timeout.components.attoseconds / 1_000_000_000_000_000
        _ = poll(&sets, nfds_t(sets.count), Int32(clamping: milliseconds))
        var byte: UInt8 = 0
        if sets[0].revents != 0 { _ = read(ends.read, &byte, 1) }
    }
}
