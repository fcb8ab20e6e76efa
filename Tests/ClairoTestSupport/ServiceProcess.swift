internal import Foundation
internal import Glibc
internal import Synchronization

/// A server that several tests share. It ends with the test process, however that ends.
public struct ServiceProcess: Sendable {
    public struct Unusable: Error, CustomStringConvertible {
        public var program: String
        public var log: String
        public var description: String { "\(program) ended or did not start: \(log.suffix(2000))" }
    }

    public let process: ChildProcess
    /// Where its output goes.
    public let log: String

    /// Starts a program and waits until `isReady` finds in its log that it serves.
    /// - Parameters:
    ///   - name: of the log in the folder of this run.
    ///   - isEndedGently: by SIGTERM, ten seconds before SIGKILL.
    ///   - afterwards: is called when it has ended, at the end of this process.
    /// - Returns: the server, and what `isReady` has found.
    public static func start<Value: Sendable>(
        _ program: String, _ arguments: [String], name: String, environment: [String: String] = [:],
        isEndedGently: Bool = false, afterwards: @escaping @Sendable () -> Void = {},
        until isReady: @escaping @Sendable (_ log: String) -> Value?
    ) async throws -> (service: ServiceProcess, value: Value) {
        let log = Scratch.root + "/\(name).log"
        try FileManager.default.createDirectory(atPath: Scratch.root, withIntermediateDirectories: true)
        let process = try await onLastingThread {
            try ChildProcess(
                "setpriv",
                ["--pdeathsig", isEndedGently ? "TERM" : "KILL", "sh", "-c", "exec \"$@\" > \"$0\" 2>&1", log, program]
                    + arguments,
                environment: environment, deadline: .seconds(6 * 3600))
        }
        onExit {
            if isEndedGently { kill(-process.identifier, SIGTERM) }
            for _ in 0..<1000 where isEndedGently && kill(process.identifier, 0) == 0 { usleep(10_000) }
            kill(-process.identifier, SIGKILL)
            afterwards()
        }
        @Sendable func text() -> String {
            FileManager.default.contents(atPath: log).map { String(decoding: $0, as: UTF8.self) } ?? ""
        }
        guard await process.wait(until: { isReady(text()) != nil }), let value = isReady(text()) else {
            throw Unusable(program: program, log: text())
        }
        return (ServiceProcess(process: process, log: log), value)
    }

    /// The kernel sends the signal of `--pdeathsig` when the thread goes that started the child, not the process: this one
    /// stays as long as the process.
    private static func onLastingThread<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
        try await withCheckedThrowingContinuation { continuation in
            let thread = Thread {
                continuation.resume(with: Result { try body() })
                while true { pause() }
            }
            thread.start()
        }
    }

    /// atexit takes no closure with a context.
    private static let exitActions: Mutex<[@Sendable () -> Void]> = {
        atexit { for action in ServiceProcess.exitActions.withLock({ $0 }) { action() } }
        return Mutex([])
    }()

    private static func onExit(_ body: @escaping @Sendable () -> Void) { exitActions.withLock { $0.append(body) } }
}
