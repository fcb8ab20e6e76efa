internal import ClairoCore
internal import Foundation
internal import Glibc

/// Asks a child which walls it can build on this system.
struct SandboxProbe {
    let limits: ProcessLimits

    /// Far more than it takes.
    private static let patience = timeval(tv_sec: 120, tv_usec: 0)

    func run(_ executable: String, _ arguments: [String]) throws(ClairoError) -> SandboxReport {
        let (process, socket) = try TaskProcess.start(executable, arguments, limits: limits)
        var patience = Self.patience
        setsockopt(
            socket.descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout.size(ofValue: patience)))
        // Any word lets it begin.
        _ = socket.send(try WireMessage(.answer, head: AnswerHead()))
        let report = try? socket.receive(WireLimits.fromChild)?.decodeHead(as: SandboxReport.self)
        process.endNow()
        guard let report else {
            throw .crash("A task's process does not get as far as its sandbox", process.lastWords())
        }
        return report
    }
}
