internal import Foundation
internal import Glibc
internal import Synchronization

/// A server shared by several tests. It ends with the test process, however that ends.
public struct ServiceProcess: Sendable {
    public struct Unusable: Error, CustomStringConvertible {
        public var program: String
        public var log: String
        public var description: String { "\(program) ended or did not start: \(log.suffix(2000))" }
    }

    public let process: ChildProcess
    /// The path of the log file.
    public let log: String

    /// Starts a program and waits until `isReady` finds a sign in its log that it is ready.
    /// - Parameters:
    ///   - name: The name of the log in this run's folder.
    ///   - isEndedGently: Whether to send SIGTERM ten seconds before SIGKILL.
    ///   - afterwards: Called after the server has ended, at the end of this process.
    /// - Returns: The server and the value that `isReady` returned.
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

    /// Runs `body` on a thread that lives as long as the process, because the signal of `--pdeathsig` is sent when the
    /// thread that started the child ends.
    private static func onLastingThread<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
        try await withCheckedThrowingContinuation { continuation in
            let thread = Thread {
                continuation.resume(with: Result { try body() })
                while true { pause() }
            }
            thread.start()
        }
    }

    /// atexit handlers cannot capture context.
    private static let exitActions: Mutex<[@Sendable () -> Void]> = {
        atexit { for action in ServiceProcess.exitActions.withLock({ $0 }) { action() } }
        return Mutex([])
    }()

    private static func onExit(_ body: @escaping @Sendable () -> Void) { exitActions.withLock { $0.append(body) } }
}
