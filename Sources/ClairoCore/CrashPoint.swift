internal import Foundation

/// A point at which a test can make the process die as by `kill -9`, or stop as by SIGSTOP, to verify that no work is
/// lost. Debug builds only: the environment variables `CLAIRO_CRASH_AT` and `CLAIRO_STOP_AT` name the point.
public enum CrashPoint {
    /// Ends or stops the process here if a test asked for it. Does nothing in release builds.
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
