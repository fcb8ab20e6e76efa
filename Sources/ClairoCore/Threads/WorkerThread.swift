internal import Dispatch
internal import Glibc
internal import Synchronization

/// A dedicated thread for blocking work, with a result to wait for. libav and file access never run on the cooperative
/// pool.
public final class WorkerThread: Sendable {
    private let done = DispatchSemaphore(value: 0)
    private let failure = Mutex<(any Error)?>(nil)

    /// Starts `body`.
    /// - Parameter niceness: The thread's nice value, 0 to 19 (nice(2); on Linux it is per thread).
    public init(name: String, niceness: Int32 = 0, _ body: sending @escaping () throws -> Void) {
        // The closure is passed to one thread and called once there.
        nonisolated(unsafe) let body = body
        SystemThread.start(name: name) { [self] in
            if niceness > 0 { setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, niceness) }
            do {
                try body()
            } catch {
                failure.withLock { $0 = error }
            }
            done.signal()
        }
    }

    /// Waits for the thread and returns the error it ended with, if any. Call once.
    public func join() -> (any Error)? {
        done.wait()
        return failure.withLock { $0 }
    }
}
