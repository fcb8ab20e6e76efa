internal import ClairoCore
internal import Curl
internal import Foundation
internal import Glibc
internal import Synchronization

/// A container that runs one task. A thread waits for it to end.
final class DockerContainer: TaskRuntime {
    static let noun = "container"

    private let engine: DockerEngine
    private let id: String
    private let watch: Watch
    private var waiting: WorkerThread?
    private var firstKill: ContinuousClock.Instant?
    private var lastKill: ContinuousClock.Instant?

    /// How long to wait for an unavailable daemon, and for a daemon to kill a container.
    private static let timeout = Duration.seconds(30)

    /// Starts the container.
    /// - Parameter wake: Signalled when the container has ended.
    init(
        _ configuration: ContainerConfiguration, name: String, engine: DockerEngine, wake: WakePipe
    ) throws(ClairoError) {
        self.engine = engine
        do throws(ClairoError) {
            id = try engine.create(configuration, name: name)
        } catch {
            // If only the reply was lost, the container exists.
            if error.exitCode == .temporary { try? engine.remove(name) }
            throw error
        }
        watch = Watch(engine: engine, id: id)
        do throws(ClairoError) {
            try engine.start(id)
        } catch {
            try? engine.remove(id)
            throw error
        }
        waiting = WorkerThread(name: "task-container") { [watch] in
            watch.untilEnded()
            wake.signal(isOver: false)
        }
    }

    /// Removes the container, running or not. Errors are ignored, because the orphan sweep will remove it.
    func remove() {
        watch.cancellation.cancel()
        _ = waiting?.join()
        waiting = nil
        try? engine.remove(id)
    }

    // MARK: TaskRuntime

    var messages: Int32? { nil }

    func readMessages() {}

    func finalOutput() -> String {
        guard let log = try? engine.logs(id) else { return "" }
        return MessageTail(log).text
    }

    /// Kills the container at once, because nothing in it cleans up on SIGTERM.
    func terminate() { kill() }

    func kill() {
        let now = ContinuousClock.now
        firstKill = firstKill ?? now
        if let lastKill, lastKill.duration(to: now) < .seconds(1) { return }
        lastKill = now
        try? engine.kill(id)
    }

    func pollExit() -> TaskExit? {
        if let ending = watch.ending {
            // No process in the container can kill its first process. So the daemon stopped, or the container was
            // killed from outside.
            let isForeign = ending == .signaled(SIGKILL) && firstKill == nil
            return isForeign ? .lost(.temporary("A task's container was killed from outside (signal 9)")) : ending
        }
        guard let firstKill, firstKill.duration(to: .now) > Self.timeout else { return nil }
        return .lost(
            ClairoError(
                kind: .transient, exitCode: .temporary, "The Docker daemon did not kill a task's container",
                advice: "Check the daemon's log (journalctl -u docker)."))
    }

    /// The state shared with the thread that waits for the container.
    private final class Watch: Sendable {
        let cancellation = Cancellation()
        private let engine: DockerEngine
        private let id: String
        private let end = Mutex<TaskExit?>(nil)

        init(engine: DockerEngine, id: String) {
            self.engine = engine
            self.id = id
        }

        var ending: TaskExit? { end.withLock { $0 } }

        func untilEnded() {
            var awaySince: ContinuousClock.Instant?
            while !cancellation.isCancelled {
                do throws(ClairoError) {
                    try engine.wait(id, cancellation: cancellation)
                    let state = try engine.inspect(id).state
                    awaySince = nil
                    if state.running { continue }
                    return end.withLock { $0 = Self.ending(state) }
                } catch {
                    if error.kind == .cancelled { return }
                    // A daemon that restarts may keep its containers running (live restore).
                    awaySince = awaySince ?? .now
                    if error.kind == .defect
                        || awaySince.map({ $0.duration(to: .now) > DockerContainer.timeout }) == true
                    {
                        return end.withLock { $0 = .lost(Self.lost(error)) }
                    }
                    _ = cancellation.sleep(seconds: 0.5)
                }
            }
        }

        private static func ending(_ state: ContainerDetails.State) -> TaskExit {
            if state.outOfMemory { return .outOfMemory }
            // As in a shell, a signal is reported as 128 plus its number.
            return state.exitCode > 128 ? .signaled(Int32(state.exitCode - 128)) : .exited(Int32(state.exitCode))
        }

        /// The error if the container was removed or the daemon is unavailable. This is never the task's fault.
        private static func lost(_ error: ClairoError) -> ClairoError {
            ClairoError(
                kind: error.kind == .defect ? .transient : error.kind, exitCode: error.exitCode,
                "A task's container was lost: \(error.message)", advice: error.advice)
        }
    }
}
