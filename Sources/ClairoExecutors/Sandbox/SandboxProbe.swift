internal import ClairoCore
internal import Foundation
internal import Glibc

/// Finds out in a child process which sandbox layers this system supports.
struct SandboxProbe {
    let limits: ProcessLimits

    /// How long to wait for the report: a generous limit.
    private static let timeout = timeval(tv_sec: 120, tv_usec: 0)

    func run(_ executable: String, _ arguments: [String]) throws(ClairoError) -> SandboxReport {
        let (process, socket) = try TaskProcess.start(executable, arguments, limits: limits)
        var timeout = Self.timeout
        setsockopt(
            socket.descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout.size(ofValue: timeout)))
        // Any reply lets the child start.
        _ = socket.send(try WireMessage(.answer, head: AnswerHead()))
        let report = try? socket.receive(WireLimits.fromChild)?.decodeHead(as: SandboxReport.self)
        process.endNow()
        guard let report else {
            throw .crash("A task's process failed before it entered its sandbox", process.finalOutput())
        }
        return report
    }
}
