internal import CLinux
internal import Glibc

/// A thread of the operating system, for work that blocks.
///
/// Foundation's `Thread` ignores that the system refuses a thread. Whatever waits for its result would then wait
/// forever.
enum SystemThread {
    /// Carries the work to the thread, which takes it once.
    private final class Work {
        let name: String
        let body: () -> Void

        init(_ name: String, _ body: @escaping () -> Void) { (self.name, self.body) = (name, body) }
    }

    private static let stackSize = 8 << 20
    /// The pause between attempts in microseconds, and their number: two seconds in total. Threads of other work end
    /// meanwhile.
    private static let (pause, attempts): (UInt32, Int) = (20_000, 100)

    /// Starts a thread. If the system refuses it for good, this process ends with exit code 75, because no caller could
    /// go on without the work. Nothing is lost: the pipeline is crash-safe.
    /// - Parameter name: The name that tools such as top -H show.
    static func start(name: String, _ body: sending @escaping () -> Void) {
        let work = Unmanaged.passRetained(Work(name, body)).toOpaque()
        var code: Int32 = 0
        for _ in 0..<attempts {
            code = clairo_start_thread(
                stackSize,
                { pointer in
                    guard let pointer else { return nil }
                    let work = Unmanaged<Work>.fromOpaque(pointer).takeRetainedValue()
                    // Set by the thread itself, which may run before its creator continues.
                    _ = clairo_set_thread_name(work.name)
                    work.body()
                    return nil
                }, work)
            if code == 0 { return }
            usleep(pause)
        }
        end(String(cString: strerror(code)))
    }

    private static func end(_ reason: String) -> Never {
        let text = """
            clairo: A thread cannot be started: \(reason)
                    Raise the limit of this process: ulimit -u or -v, TasksMax= or LimitAS= of a systemd unit.

            """
        _ = Array(text.utf8).withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
        _exit(ClairoError.ExitCode.temporary.rawValue)
    }
}
