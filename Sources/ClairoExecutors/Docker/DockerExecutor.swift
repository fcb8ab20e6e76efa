public import ClairoCore
internal import Foundation
internal import Glibc
internal import Synchronization

/// Runs each task in a new container that has no access to anything but the worker's socket.
///
/// ```
/// worker: credentials, database, network          container: clairo run-task --connect /work/socket
///   supervisor ── Docker Engine API ────────────►  engine (libav on untrusted media)
///   TaskServer ◄── ranges, segments, progress ───  RemoteSource, RemoteStore
///        └ a Unix socket in a folder of its own, mounted read-only at /work
/// ```
///
/// The protocol, timeouts and errors are those of `ProcessExecutor`. The container runs as user 65534 without network
/// and capabilities. Its only writable folder is a small /tmp in memory. These restrictions and the sandbox that the
/// child enters inside (`Sandbox`) are independent layers. The container is removed when the task ends. If it fails,
/// the error contains the end of its log.
///
/// - Out of memory, crash, no progress: `defect`, as with a process.
/// - No image, no daemon, disk full: `capacity`, which costs the job no attempt.
/// - Killed or removed from outside: `transient`.
public struct DockerExecutor: TaskExecutor {
    /// The operator's settings.
    public struct Options: Sendable {
        /// The image. Its entry point must be `clairo`.
        public var image: String
        /// The daemon's socket: a path or a `unix://` URL.
        public var socket: String
        /// The folder for the containers' sockets. It must have the same path for this process and the daemon.
        public var folder: String
        /// What a task's container may use.
        public var limits: DockerLimits
        /// The sandbox mode of the child.
        public var sandbox: SandboxMode
        /// Arguments of the subcommand that runs a task.
        public var arguments: [String]

        public init(
            image: String, socket: String = "unix:///var/run/docker.sock", folder: String,
            limits: DockerLimits = DockerLimits(), sandbox: SandboxMode = .auto, arguments: [String] = ["run-task"]
        ) {
            self.image = image
            self.socket = socket
            self.folder = folder
            self.limits = limits
            self.sandbox = sandbox
            self.arguments = arguments
        }
    }

    private let options: Options
    private let folder: DockerWorkFolder
    private let lastSweep = SweepClock()
    private let onKill: @Sendable (TaskKill) -> Void
    private let onOrphans: @Sendable (Int) -> Void

    static let noImageAdvice =
        "Build it (Scripts/deploy/Dockerfile) or pull it on this machine, or set another with --docker-image."

    /// - Parameters:
    ///   - onKill: Called for each container that ended without a result.
    ///   - onOrphans: Called with the number of removed containers of dead workers.
    /// - Throws: `configuration` for an invalid socket, `cannotCreate` if the folder cannot be created.
    public init(
        _ options: Options, onKill: @escaping @Sendable (TaskKill) -> Void = { _ in },
        onOrphans: @escaping @Sendable (Int) -> Void = { _ in }
    ) throws(ClairoError) {
        _ = try DockerEngine.path(options.socket)
        self.options = options
        self.onKill = onKill
        self.onOrphans = onOrphans
        folder = try DockerWorkFolder(options.folder)
    }

    public func run(
        _ spec: TaskSpec, io: TaskIO, observer: TaskObserver, stop: StopRequest
    ) async throws(ClairoError) -> TaskResult {
        try await onDedicatedThread(name: "task") { () throws(ClairoError) in
            try runHere(spec, io: io, observer: observer, stop: stop)
        }
    }

    private func runHere(
        _ spec: TaskSpec, io: TaskIO, observer: TaskObserver, stop: StopRequest
    ) throws(ClairoError) -> TaskResult {
        try stop.check()
        let engine = try DockerEngine(socket: options.socket)
        // Repeated periodically, because other workers may have died since.
        if lastSweep.isDue() { _ = try? removeOrphans(engine) }
        let labels = [
            "clairo.task": spec.taskID.rawValue, "clairo.job": spec.jobID.rawValue,
            "clairo.attempt": String(spec.attempt),
        ]
        return try withContainer(engine, labels: labels, stop: stop) {
            (container, socket, wake) throws(ClairoError) in
            try Supervisor(limits: options.limits.task, stop: stop, onKill: onKill)
                .run(spec, io: io, observer: observer, in: container, socket: socket, wake: wake)
        }
    }

    /// Starts a container, runs `body` once the container has connected, and removes the container.
    private func withContainer<R>(
        _ engine: DockerEngine, arguments: [String] = [], labels: [String: String] = [:], stop: StopRequest,
        _ body: (DockerContainer, WireSocket, WakePipe) throws(ClairoError) -> R
    ) throws(ClairoError) -> R {
        let wake = try WakePipe()
        let (name, place) = try folder.enter()
        defer { folder.leave(name) }
        let listener = try TaskListener(in: place)
        let configuration = try configuration(engine, arguments: arguments, labels: labels, place: place)
        let container = try DockerContainer(configuration, name: name, engine: engine, wake: wake)
        defer { container.remove() }
        let socket = try connection(from: container, listener: listener, wake: wake, stop: stop)
        return try body(container, socket, wake)
    }

    private func connection(
        from container: DockerContainer, listener: TaskListener, wake: WakePipe, stop: StopRequest
    ) throws(ClairoError) -> WireSocket {
        let id = stop.onCancel { [weak wake] in wake?.signal(isOver: false) }
        defer { stop.forget(id) }
        let begin = ContinuousClock.now
        while true {
            if let socket = listener.connection() { return socket }
            try stop.check()
            if let ending = container.pollExit() {
                // The task may have connected and ended in the meantime.
                if let socket = listener.connection() { return socket }
                throw startError(ending, container.finalOutput())
            }
            guard begin.duration(to: .now) < .seconds(options.limits.startSeconds) else {
                onKill(.stalled)
                throw .crash(
                    "The task's container did not connect within \(Int(options.limits.startSeconds)) s",
                    container.finalOutput())
            }
            wake.wait(or: listener.descriptor, timeout: .milliseconds(250))
        }
    }

    private func startError(_ ending: TaskExit, _ messages: String) -> ClairoError {
        if case .lost(let error) = ending { return error }
        onKill(.noResult)
        let how =
            switch ending {
            case .exited(let status): "exit \(status)"
            case .signaled(let signal): "signal \(signal)"
            case .outOfMemory, .lost: "out of memory"
            }
        return ClairoError(
            kind: .defect, exitCode: .configuration,
            "The task's container from the image \(options.image) ended before it connected (\(how))"
                + (messages.isEmpty ? "" : ": \(messages)"),
            advice: "Check that the image has this version of Clairo (clairo doctor --executor docker).")
    }

    private func configuration(
        _ engine: DockerEngine, arguments: [String], labels: [String: String], place: String
    ) throws(ClairoError) -> ContainerConfiguration {
        let image = try image(engine)
        let limits = options.limits
        let cpus = if let cpus = limits.cpus { cpus } else { Double(try engine.details().cpus) }
        let task = limits.task
        // The image's volumes get read-only tmpfs mounts. Otherwise the daemon would create a volume on disk for each.
        var tmpfs = (image.config?.volumes ?? [:]).mapValues { _ in "ro,noexec,nosuid,nodev,size=4k" }
        tmpfs["/tmp"] = "rw,noexec,nosuid,nodev,mode=1777,size=\(limits.scratchBytes)"
        return ContainerConfiguration(
            image: image.id,
            cmd: options.arguments + ["--connect", "/work/\(TaskListener.name)", "--sandbox", options.sandbox.rawValue]
                + arguments,
            labels: labels.merging(folder.labels) { $1 }, user: "65534:65534",
            hostConfig: HostConfiguration(
                memory: task.memory, memorySwap: task.memory, nanoCpus: Int64(cpus * 1e9),
                pidsLimit: limits.processes,
                ulimits: [
                    .init(name: "core", soft: 0, hard: 0),
                    .init(name: "cpu", soft: task.cpuSeconds, hard: task.cpuSeconds + 10),
                    .init(name: "fsize", soft: Int(task.fileSize), hard: Int(task.fileSize)),
                    .init(name: "nofile", soft: task.openFiles, hard: task.openFiles),
                ],
                tmpfs: tmpfs, mounts: [.init(source: place, target: "/work")]))
    }

    private func image(_ engine: DockerEngine) throws(ClairoError) -> ImageDetails {
        guard let image = try engine.image(options.image) else {
            throw .refused(
                "The Docker daemon has no image \(options.image)", exitCode: .configuration,
                advice: Self.noImageAdvice)
        }
        return image
    }

    // MARK: Orphans

    /// Removes containers of dead workers, running or not.
    private func removeOrphans(_ engine: DockerEngine) throws(ClairoError) {
        let containers = try engine.containers(label: DockerWorkFolder.folderLabel, value: folder.identifier)
        let orphans = folder.orphans(among: containers)
        for orphan in orphans { try engine.remove(orphan.id) }
        folder.tidy()
        if !orphans.isEmpty { onOrphans(orphans.count) }
    }

    // MARK: Check

    /// Checks the daemon and the image, removes orphans, and has a container report its sandbox layers. Call before
    /// claiming tasks.
    public func check() async throws(ClairoError) -> DockerReport {
        try await onDedicatedThread(name: "docker") { () throws(ClairoError) in try checkHere() }
    }

    private func checkHere() throws(ClairoError) -> DockerReport {
        let engine = try DockerEngine(socket: options.socket)
        let details = try engine.details()
        let image = try image(engine)
        _ = lastSweep.isDue()
        try removeOrphans(engine)
        var timeout = timeval(tv_sec: 30, tv_usec: 0)
        let sandbox = try withContainer(engine, arguments: ["--tell-sandbox"], stop: StopRequest()) {
            (container, socket, _) throws(ClairoError) in
            setsockopt(
                socket.descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
            // Any reply lets the child start.
            _ = socket.send(try WireMessage(.answer, head: AnswerHead()))
            let report = try? socket.receive(WireLimits.fromChild)?.decodeHead(as: SandboxReport.self)
            guard let report else {
                throw .crash("A task's container failed before it entered its sandbox", container.finalOutput())
            }
            return report
        }
        let limits = [
            ("memory", details.memoryLimit), ("CPU time", details.cpuCfsQuota), ("processes", details.pidsLimit),
        ]
        return DockerReport(
            version: details.serverVersion, image: image.id, sandbox: sandbox,
            missingLimits: limits.filter { $0.1 == false }.map { $0.0 })
    }
}

/// The result of `DockerExecutor.check`.
public struct DockerReport: Sendable, Hashable {
    /// The daemon's version.
    public var version: String
    /// The image's id.
    public var image: String
    /// The sandbox layers that the child entered inside the container.
    public var sandbox: SandboxReport
    /// Resources that the daemon's kernel cannot limit.
    public var missingLimits: [String]

    /// A description of what is missing, for display; nil if nothing is.
    public var missing: String? {
        let limits = missingLimits.isEmpty ? "" : "limits of \(missingLimits.joined(separator: ", "))"
        let all = [sandbox.isComplete ? "" : sandbox.missing, limits].filter { !$0.isEmpty }
        return all.isEmpty ? nil : all.joined(separator: ", ")
    }

    /// An error if `mode` does not allow tasks to run in these containers.
    public func refusal(of mode: SandboxMode) -> ClairoError? {
        guard mode == .require, let missing else { return nil }
        return .configuration(
            "The sandbox is not complete in this Docker's containers; missing: \(missing)",
            advice: "Use Docker 23 or later with cgroup limits, or --sandbox auto to run with the other layers.")
    }
}

/// The time of the last orphan sweep.
private final class SweepClock: Sendable {
    private let last = Mutex<ContinuousClock.Instant?>(nil)

    /// Whether a sweep is due. If so, records it as done.
    func isDue() -> Bool {
        last.withLock { last in
            if let last, last.duration(to: .now) < .seconds(60) { return false }
            last = .now
            return true
        }
    }
}
