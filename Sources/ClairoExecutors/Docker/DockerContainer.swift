internal import ClairoCore
internal import Curl
internal import Foundation
internal import Glibc
internal import Synchronization

/// A container in which one task is done: started, waited for by a thread, removed.
final class DockerContainer: TaskRuntime {
    static let noun = "container"

    private let engine: DockerEngine
    private let id: String
    private let watch: Watch
    private var waiting: WorkerThread?
    private var firstKill: ContinuousClock.Instant?
    private var lastKill: ContinuousClock.Instant?

    /// How long a daemon that has been told to end a container, or that is away, is waited for.
    private static let patience = Duration.seconds(30)

    /// Starts it.
    /// - Parameter wake: is signalled when it has ended.
    init(
        _ configuration: ContainerConfiguration, name: String, engine: DockerEngine, wake: WakePipe
    ) throws(ClairoError) {
        self.engine = engine
        do throws(ClairoError) {
            id = try engine.create(configuration, name: name)
        } catch {
            // It may be there all the same, if only the answer was lost.
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

    /// Removes it, running or not. What fails here is left to the sweeping of orphans.
    func remove() {
        watch.cancellation.cancel()
        _ = waiting?.join()
        waiting = nil
        try? engine.remove(id)
    }

    // MARK: As a place

    var messages: Int32? { nil }

    func readMessages() {}

    func lastWords() -> String {
        guard let log = try? engine.logs(id) else { return "" }
        return MessageTail(log).text
    }

    /// There is nothing in it that would tidy up first.
    func terminate() { kill() }

    func kill() {
        let now = ContinuousClock.now
        firstKill = firstKill ?? now
        if let lastKill, lastKill.duration(to: now) < .seconds(1) { return }
        lastKill = now
        try? engine.kill(id)
    }

    func ending() -> TaskExit? {
        if let ending = watch.ending {
            // Nothing in it can do that to its first process: the daemon has stopped, or somebody had it killed.
            let isStrangers = ending == .signaled(SIGKILL) && firstKill == nil
            return isStrangers ? .lost(.temporary("A task's container was killed by somebody else (signal 9)")) : ending
        }
        guard let firstKill, firstKill.duration(to: .now) > Self.patience else { return nil }
        return .lost(
            ClairoError(
                kind: .transient, exitCode: .temporary, "The Docker daemon did not end a task's container",
                advice: "See what it says (journalctl -u docker)."))
    }

    /// What the waiting thread sees.
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
                    // A daemon that starts anew does not always take its containers with it (live restore).
                    awaySince = awaySince ?? .now
                    if error.kind == .defect
                        || awaySince.map({ $0.duration(to: .now) > DockerContainer.patience }) == true
                    {
                        return end.withLock { $0 = .lost(Self.lost(error)) }
                    }
                    _ = cancellation.sleep(seconds: 0.5)
                }
            }
        }

        private static func ending(_ state: ContainerDetails.State) -> TaskExit {
            if state.outOfMemory { return .outOfMemory }
            // As a shell has it: 128 and the signal's number.
            return state.exitCode > 128 ? .signaled(Int32(state.exitCode - 128)) : .exited(Int32(state.exitCode))
        }

        /// Not the task's fault, whatever it is: somebody has removed the container, or the daemon is gone.
        private static func lost(_ error: ClairoError) -> ClairoError {
            ClairoError(
                kind: error.kind == .defect ? .transient : error.kind, exitCode: error.exitCode,
                "A task's container was lost: \(error.message)", advice: error.advice)
        }
    }
}
