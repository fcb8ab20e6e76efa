internal import Foundation

/// A place where a test may let the process die as by `kill -9`, or stop as by SIGSTOP, to see that nothing is lost: in debug
/// builds, where the environment variable `CLAIRO_CRASH_AT` or `CLAIRO_STOP_AT` names it.
public enum CrashPoint {
    public static func reach(_ name: @autoclosure () -> String) {
        #if DEBUG
            if crashAt == nil, stopAt == nil { return }
            let name = name()
            if name == crashAt { kill(getpid(), SIGKILL) }
            if name == stopAt { kill(getpid(), SIGSTOP) }
        #endif
    }

    #if DEBUG
        private static let crashAt = ProcessInfo.processInfo.environment["CLAIRO_CRASH_AT"]
        private static let stopAt = ProcessInfo.processInfo.environment["CLAIRO_STOP_AT"]
    #endif
}
