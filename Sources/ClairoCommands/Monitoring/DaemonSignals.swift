internal import ClairoCore
internal import Dispatch
internal import Foundation
internal import Glibc
internal import Synchronization

/// How a daemon ends: on SIGTERM and SIGINT it stops taking work, gives what runs some seconds, and then hands it back; on
/// SIGUSR1 it takes as long as what runs takes. A second SIGTERM or SIGINT ends the process at once. The service manager is
/// told.
enum DaemonSignals {
    /// Seconds between the signal and the handing back; supervisors wait 30 (ECS) or 90 (systemd) before they kill.
    static let grace = 12
    /// Seconds after which the process ends in any case. Nothing is lost by it: no crash loses anything.
    static let limit = 19

    /// - Parameters:
    ///   - finishesTasks: SIGTERM waits as SIGUSR1 does.
    ///   - status: what the daemon does, for the service manager.
    static func running<R: Sendable>(
        finishesTasks: Bool, log: PipelineLog, manager: ServiceManager, status: String,
        stop: StopRequest = StopRequest(),
        _ body: (_ drain: StopRequest, _ stop: StopRequest) async throws -> R
    ) async throws -> R {
        let drain = StopRequest()
        let count = Atomic<Int>(0)
        let registered = DispatchGroup()
        let sources = [SIGINT, SIGTERM, SIGUSR1].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                let ends = number != SIGUSR1
                if ends, count.add(1, ordering: .relaxed).oldValue > 0 { _exit(128 + number) }
                log.note("stopping: no more work is taken")
                // The manager has patience with a service that stops, but not so much as SIGUSR1 promises.
                if ends { manager.stopping() } else { manager.status("Finishing its tasks") }
                drain.cancel()
                if ends, !finishesTasks {
                    DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(grace)) { stop.cancel() }
                    DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(limit)) {
                        log.note("a service does not answer: it is left alone, others take over after the lease")
                        _exit(0)
                    }
                }
            }
            registered.enter()
            source.setRegistrationHandler { registered.leave() }
            source.resume()
            return source
        }
        defer {
            sources.forEach { $0.cancel() }
            for number in [SIGINT, SIGTERM, SIGUSR1] { signal(number, SIG_DFL) }
        }
        // Who is told that we are ready may send a signal at once; one that comes before is lost.
        await withCheckedContinuation { continuation in
            registered.notify(queue: .global()) { continuation.resume() }
        }
        manager.ready(status)
        return try await manager.watching { try await body(drain, stop) }
    }
}
