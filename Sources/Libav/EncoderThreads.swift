internal import CFFmpegLoader
internal import Foundation
internal import Glibc

/// The threads that an encoder starts by itself. SVT-AV1 starts 17 even for one processor; nearly all of them wait.
public enum EncoderThreads {
    /// SVT-AV1 itself asks for at least this much where the default is smaller.
    private static let stackBytes = 1 << 20

    /// Runs `body`, which opens an encoder that starts threads. Their stacks are small, because limits on memory count
    /// them as a whole, and their priority is the usual one.
    public static func opening<Result>(_ body: () throws -> Result) rethrows -> Result {
        let usual = clairo_set_default_stack_size(stackBytes)
        defer {
            if usual > 0 { _ = clairo_set_default_stack_size(usual) }
            leaveRealTime()
        }
        return try body()
    }

    /// Gives all threads with real-time priority the usual one. For root, SVT-AV1 gives its threads and the one that
    /// opens it the highest real-time priority, with which they would starve every other program of the machine.
    private static func leaveRealTime() {
        guard geteuid() == 0 else { return }
        var parameters = sched_param()
        parameters.sched_priority = 0
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? [] {
            guard let thread = pid_t(name), sched_getscheduler(thread) == SCHED_FIFO else { continue }
            sched_setscheduler(thread, SCHED_OTHER, &parameters)
        }
    }
}
