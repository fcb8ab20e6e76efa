internal import Foundation
internal import Glibc

/// Notifies systemd that a daemon is ready, stopping and alive (sd_notify(3), sd_watchdog_enabled(3)). Without
/// NOTIFY_SOCKET it does nothing.
///
/// A Swift task sends the keep-alive messages. If tasks are no longer scheduled, because all threads are blocked or
/// deadlocked, the messages stop, and systemd restarts the daemon. An unavailable service does not stop them.
struct ServiceManager: Sendable {
    private let address: [UInt8]?
    /// Time between keep-alive messages: half of the watchdog's timeout.
    let interval: Duration?

    /// - Parameter process: The process id to compare with WATCHDOG_PID.
    init(_ variables: [String: String], process: Int32 = getpid()) {
        // A path, or with @ an abstract socket name (unix(7)). Other kinds of sockets are for virtual machines.
        let name = variables["NOTIFY_SOCKET"] ?? ""
        address = name.hasPrefix("/") || name.hasPrefix("@") ? Array(name.utf8) : nil
        let microseconds = variables["WATCHDOG_USEC"].flatMap(Int64.init) ?? 0
        let isMeant = variables["WATCHDOG_PID"].map { $0 == String(process) } ?? true
        interval = address != nil && isMeant && microseconds > 0 ? .microseconds(microseconds / 2) : nil
    }

    /// - Parameter status: The text that `systemctl status` shows.
    func ready(_ status: String) { tell("READY=1", "STATUS=\(status)") }

    func stopping() { tell("STOPPING=1", "STATUS=Stopping") }

    func status(_ text: String) { tell("STATUS=\(text)") }

    /// Runs `body` and sends keep-alive messages.
    func watching<R: Sendable>(_ body: () async throws -> R) async rethrows -> R {
        guard let interval else { return try await body() }
        let signs = Task {
            repeat { tell("WATCHDOG=1") } while (try? await Task.sleep(for: interval)) != nil
        }
        defer { signs.cancel() }
        return try await body()
    }

    /// Sends one datagram, which is lost if nothing receives it.
    private func tell(_ lines: String...) {
        guard var path = address else { return }
        var target = sockaddr_un()
        guard path.count < MemoryLayout.size(ofValue: target.sun_path) else { return }
        if path[0] == UInt8(ascii: "@") { path[0] = 0 }
        target.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &target.sun_path) { $0.copyBytes(from: path) }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let text = Array(lines.joined(separator: "\n").utf8)
        let length = socklen_t(MemoryLayout<sa_family_t>.size + path.count)
        withUnsafePointer(to: &target) { pointer in
            _ = pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(descriptor, text, text.count, Int32(MSG_NOSIGNAL), $0, length)
            }
        }
    }
}
