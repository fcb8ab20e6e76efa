public import AWSSigning
public import ClairoCore
internal import Foundation
internal import Synchronization

/// Runs a task inside its ECS container (`clairo run-task --spec URL`).
///
/// This process has the task's role and performs I/O for the engine, which runs in a sandboxed child process as on any
/// worker. On Fargate, the sandbox lacks the layers that its kernel does not support. Once the worker stops renewing
/// its lease or deletes it, this process writes nothing more.
public struct ContainerTask: Sendable {
    /// The attempt's output folder and its recorded files.
    public struct Folder: Sendable {
        /// The folder that the task writes to.
        public var output: any ObjectStore
        /// The written files, under the engine's names.
        public var files: @Sendable () -> [FileRecord]

        public init(output: any ObjectStore, files: @escaping @Sendable () -> [FileRecord]) {
            self.output = output
            self.files = files
        }
    }

    /// Dependencies, set by the composition root.
    public struct Services: Sendable {
        /// The exchange folder named by the worker.
        public var exchange: any ExchangeStore
        /// Opens the attempt's folder in the output store with this URL. The store asks for credentials before they
        /// expire; nil for those of this process. The check throws once the lease is lost.
        public var folder:
            @Sendable (
                TaskSpec, _ url: String, _ credentials: (@Sendable () -> AWSCredentials?)?,
                _ check: @escaping @Sendable () throws(ClairoError) -> Void
            ) throws(ClairoError) -> Folder
        /// Opens a source of known size and version. Each read requests the newest presigned URL.
        public var source:
            @Sendable (
                _ size: Int64, _ etag: String, _ stop: StopRequest,
                _ url: @escaping @Sendable () throws(ClairoError) -> String
            ) throws(ClairoError) -> any ByteSource
        /// Creates the executor of the child process. Called with the task's memory in bytes, if known.
        public var executor: @Sendable (_ memory: Int64?) -> ProcessExecutor
        /// This process's environment, which names the task metadata endpoint.
        public var environment: [String: String]

        public init(
            exchange: any ExchangeStore,
            folder:
                @escaping @Sendable (
                    TaskSpec, String, (@Sendable () -> AWSCredentials?)?,
                    @escaping @Sendable () throws(ClairoError) -> Void
                ) throws(ClairoError) -> Folder,
            source:
                @escaping @Sendable (
                    Int64, String, StopRequest, @escaping @Sendable () throws(ClairoError) -> String
                ) throws(ClairoError) -> any ByteSource,
            executor: @escaping @Sendable (Int64?) -> ProcessExecutor, environment: [String: String]
        ) {
            self.exchange = exchange
            self.folder = folder
            self.source = source
            self.executor = executor
            self.environment = environment
        }
    }

    private let services: Services
    private let clock: ECSClock

    public init(_ services: Services, clock: ECSClock = ECSClock()) {
        self.services = services
        self.clock = clock
    }

    /// Runs the task and reports the result to the worker. Blocks.
    /// - Throws: An error if the result cannot be reported or is no longer wanted. If the task itself fails, its error
    ///   is reported and not thrown.
    public func run(stop: StopRequest) throws(ClairoError) {
        let exchange = Exchange(store: services.exchange, folder: "")
        guard let versioned: ExchangeSpec.Versioned = try exchange.read(ExchangeSpec.key) else {
            throw .temporary("The task no longer exists: its worker abandoned it")
        }
        guard let document = versioned.current else {
            throw .configuration(
                "The task was written by another version of Clairo (schema \(versioned.schema))",
                advice: "Give the task definition the same image as the worker.")
        }
        let metadata = TaskMetadata(environment: services.environment)
        let pulse = try Pulse(
            exchange, metadata: metadata, clock: clock, interval: document.interval, stop: stop)
        let beating = WorkerThread(name: "ecs-pulse") { pulse.run() }
        let outcome = Result { () throws(ClairoError) in try attempt(document, pulse, metadata, stop) }
        // The result is written last, because the worker deletes the exchange once it has read it.
        pulse.end()
        _ = beating.join()
        var end = try outcome.get()
        end.frames = pulse.frames
        try pulse.check()
        _ = try exchange.writeOnce(end, ExchangeResult.key)
    }

    private func attempt(
        _ document: ExchangeSpec, _ pulse: Pulse, _ metadata: TaskMetadata?, _ stop: StopRequest
    ) throws(ClairoError) -> ExchangeResult {
        let spec = document.spec
        var end = ExchangeResult(taskID: spec.taskID, attempt: spec.attempt)
        do throws(ClairoError) {
            let credentials = pulse.outputCredentials.map { _ in { @Sendable () in pulse.outputCredentials } }
            let folder = try services.folder(spec, document.output, credentials) { () throws(ClairoError) in
                try pulse.check()
            }
            var io = TaskIO(output: folder.output)
            if let etag = document.sourceETag {
                io.source = try services.source(document.sourceSize, etag, stop) { () throws(ClairoError) in
                    try pulse.sourceURL()
                }
            }
            var result = try services.executor(metadata?.memoryLimit())
                .runHere(spec, io: io, observer: TaskObserver { pulse.frames = $0 }, stop: stop)
            pulse.measure()
            // Uses the usage of the whole task if ECS reports it, because it includes this process.
            if let usage = pulse.usage {
                result.usage.cpuSeconds = max(result.usage.cpuSeconds, usage.cpuSeconds)
                result.usage.peakMemory = max(result.usage.peakMemory, usage.memory)
            }
            end.result = result
            end.files = folder.files()
        } catch {
            // The task was stopped by ECS, or its lease was lost. The worker learns the former from ECS and needs no
            // report of the latter.
            if error.kind == .cancelled { throw error }
            end.failure = FailureHead(error)
        }
        return end
    }
}

/// Watches the worker's lease and sends heartbeats, on a separate thread.
private final class Pulse: Sendable {
    private struct State {
        var lease: ExchangeLease
        /// When the lease was last seen to be renewed, by `clock`.
        var renewed: Double
        var isLost = false
        var frames = 0
        var usage: TaskMetadata.Usage?
    }

    private let exchange: Exchange
    private let metadata: TaskMetadata?
    private let clock: ECSClock
    private let interval: Double
    private let stop: StopRequest
    private let over = StopRequest()
    private let state: Mutex<State>

    init(
        _ exchange: Exchange, metadata: TaskMetadata?, clock: ECSClock, interval: Double, stop: StopRequest
    ) throws(ClairoError) {
        guard let lease: ExchangeLease = try exchange.read(ExchangeLease.key) else {
            throw .temporary("The worker abandoned the task")
        }
        self.exchange = exchange
        self.metadata = metadata
        self.clock = clock
        self.interval = interval
        self.stop = stop
        state = Mutex(State(lease: lease, renewed: clock.now()))
    }

    var frames: Int {
        get { state.withLock { $0.frames } }
        set { state.withLock { $0.frames = max($0.frames, newValue) } }
    }

    var usage: TaskMetadata.Usage? { state.withLock { $0.usage } }

    func end() { over.cancel() }

    /// - Throws: `cancelled` if the lease was lost.
    func check() throws(ClairoError) {
        try stop.check()
        let isLost = state.withLock { $0.isLost || clock.now() - $0.renewed > Exchange.leaseSeconds }
        guard !isLost else { throw lose() }
    }

    private func lose() -> ClairoError {
        state.withLock { $0.isLost = true }
        stop.cancel()
        return .cancelled
    }

    func sourceURL() throws(ClairoError) -> String {
        guard let url = state.withLock({ $0.lease.sourceURL }) else {
            throw .defect("The worker provided no URL of the source")
        }
        return url
    }

    /// The newest credentials for the output, or nil if this process's own are used.
    var outputCredentials: AWSCredentials? { state.withLock { $0.lease.output?.credentials } }

    /// Reads the task's resource usage from ECS.
    func measure() {
        guard let now = metadata?.usage() else { return }
        state.withLock { state in
            state.usage = TaskMetadata.Usage(
                cpuSeconds: now.cpuSeconds, memory: max(now.memory, state.usage?.memory ?? 0))
        }
    }

    func run() {
        var sent: ExchangeProgress?
        var sentAt = -Double.infinity
        repeat {
            hear()
            if (try? check()) == nil { return }
            measure()
            let (frames, usage) = state.withLock { ($0.frames, $0.usage) }
            if frames != sent?.frames || clock.now() - sentAt >= Exchange.progressSeconds {
                let report = ExchangeProgress(
                    beat: (sent?.beat ?? 0) + 1, frames: frames, cpuSeconds: usage?.cpuSeconds,
                    peakMemory: usage?.memory)
                if (try? exchange.write(report, ExchangeProgress.key)) != nil { (sent, sentAt) = (report, clock.now()) }
            }
        } while clock.sleep(interval, over)
    }

    private func hear() {
        do throws(ClairoError) {
            guard let lease: ExchangeLease = try exchange.read(ExchangeLease.key) else {
                _ = lose()
                return
            }
            state.withLock { state in
                if lease.beat != state.lease.beat { state.renewed = clock.now() }
                state.lease = lease
            }
        } catch  where error.exitCode == .noPermission {
            // The task's role may not list, so a deleted document is reported as forbidden.
            _ = lose()
        } catch {
            // The store is unavailable, but the lease may still hold.
        }
    }
}
