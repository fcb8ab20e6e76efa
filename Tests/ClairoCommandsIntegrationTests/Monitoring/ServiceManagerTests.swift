import ClairoTestSupport
import Foundation
import Synchronization
import Testing

@testable import ClairoCommands

/// The notifications of daemons to a service manager (sd_notify(3)).
@Suite(.sharesMachine) struct ServiceManagerTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private func start(_ manager: NotifySocket, _ arguments: [String]) throws -> ChildProcess {
        let process = try ClairoProcess.start(
            arguments,
            environment: [
                "CLAIRO_HOME": scratch.path("home"), "HOME": scratch.path, "NOTIFY_SOCKET": manager.name,
                "WATCHDOG_USEC": "200000",
            ])
        scratch.onCleanup { process.send(SIGKILL) }
        return process
    }

    @Test(arguments: [
        (["consume"], "consuming"), (["produce", "--follow"], "relaying"),
        (["serve", "--listen", "127.0.0.1:0"], "Listening on http://127.0.0.1:"),
        (["serve-metrics", "--listen", "127.0.0.1:0"], "serving metrics"),
    ])
    func aDaemonReportsReadinessLivenessAndStopping(_ arguments: [String], _ status: String) async throws {
        let manager = try NotifySocket(scratch.path("notify"))
        let process = try start(manager, arguments)
        let ready = try await manager.message { $0.contains("READY=1") }
        #expect(ready.contains { $0.hasPrefix("STATUS=\(status)") }, "\(ready)")
        for _ in 0..<3 { #expect(try await manager.message { $0.contains("WATCHDOG=1") } == ["WATCHDOG=1"]) }
        process.send(SIGTERM)
        _ = try await manager.message { $0.contains("STOPPING=1") }
        #expect(try await process.outcome().status == 0)
    }

    @Test func theSocketMayBeInTheAbstractNamespace() async throws {
        let manager = try NotifySocket("@clairo-test-\(UUID().uuidString.prefix(8))")
        let process = try start(manager, ["produce", "--follow"])
        _ = try await manager.message { $0.contains("READY=1") }
        process.send(SIGTERM)
        #expect(try await process.outcome().status == 0)
    }

    /// On SIGUSR1, tasks finish however long they take, and no service manager would wait that long.
    @Test func aConsumerThatFinishesItsTasksIsNotReportedAsStopped() async throws {
        let manager = try NotifySocket(scratch.path("notify"))
        let process = try start(manager, ["consume"])
        _ = try await manager.message { $0.contains("READY=1") }
        process.send(SIGUSR1)
        #expect(try await manager.message { $0 != ["WATCHDOG=1"] } == ["STATUS=Finishing its tasks"])
        #expect(try await process.outcome().status == 0)
    }

    @Test func theWatchdogNeedsAValidIntervalAndAppliesToOneProcess() {
        let socket = ["NOTIFY_SOCKET": "/run/x"]
        func interval(_ more: [String: String]) -> Duration? {
            ServiceManager(socket.merging(more) { $1 }, process: 7).interval
        }
        #expect(interval(["WATCHDOG_USEC": "60000000"]) == .seconds(30))
        #expect(interval(["WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "7"]) == .seconds(30))
        #expect(interval(["WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "8"]) == nil)
        #expect(interval([:]) == nil && interval(["WATCHDOG_USEC": "x"]) == nil)
        #expect(ServiceManager(["WATCHDOG_USEC": "60000000"], process: 7).interval == nil)
        #expect(
            ServiceManager(["NOTIFY_SOCKET": "vsock:2:1", "WATCHDOG_USEC": "60000000"], process: 7).interval == nil)
    }
}

/// A datagram socket like that of a service manager.
private final class NotifySocket: Sendable {
    let name: String
    private let descriptor: Int32

    /// - Parameter name: A path, or an abstract name with a leading @.
    init(_ name: String) throws {
        self.name = name
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(name.utf8)
        withUnsafeMutableBytes(of: &address.sun_path) { target in
            target.copyBytes(from: bytes)
            if name.hasPrefix("@") { target[0] = 0 }
        }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(2 + bytes.count))
            }
        }
        guard result == 0 else { throw POSIXError(.EADDRINUSE) }
    }

    deinit { close(descriptor) }

    /// The lines of the next datagram, or nil if there is none yet.
    private func next() -> [String]? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count > 0 else { return nil }
        return String(decoding: buffer[..<count], as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// Waits for a datagram that satisfies `isWanted`, and drops earlier ones.
    func message(_ isWanted: ([String]) -> Bool) async throws -> [String] {
        var found: [String] = []
        try await eventually {
            while let lines = next() {
                guard isWanted(lines) else { continue }
                found = lines
                return true
            }
            return false
        }
        return found
    }
}
