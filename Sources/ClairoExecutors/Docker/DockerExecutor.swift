public import ClairoCore
internal import Foundation
internal import Glibc
internal import Synchronization

/// Runs each task in a fresh container, which gets its bytes from us and nothing else.
///
/// ```
/// worker: credentials, database, network          container: clairo run-task --connect /work/socket
///   supervisor ── Docker Engine API ────────────►  engine (libav on media from strangers)
///   TaskServer ◄── ranges, segments, progress ───  RemoteSource, RemoteStore
///        └ a unix socket in a folder of the attempt's own, mounted read-only at /work
/// ```
///
/// The talk, the watchdogs and what becomes of a task are those of `ProcessExecutor`. The container has no network, no
/// capability, user 65534, and no place to write but a small /tmp in its memory; what it needs for that, and the walls that the
/// child builds inside (`Sandbox`), hold each by itself. It is removed when the task has ended; on failure the end of its log is
/// in the error.
///
/// - Out of memory, crashed, stuck: `defect`, as with a process.
/// - No image, no daemon, no room on the daemon's disk: `capacity`, which costs the job no attempt.
/// - Killed or removed by somebody else: `transient`.
public struct DockerExecutor: TaskExecutor {
    /// What the operator decides.
    public struct Options: Sendable {
        /// The image, whose entry point is `clairo`.
        public var image: String
        /// The daemon's socket: a path or a `unix://` URL.
        public var socket: String
        /// For the sockets to the containers: the same path for us and for the daemon.
        public var folder: String
        public var limits: DockerLimits
        public var sandbox: SandboxMode
        /// Of the subcommand that runs a task.
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
        "Build it (Scripts/deploy/Dockerfile) or pull it on this machine, or name another with --docker-image."

    /// - Parameters:
    ///   - onKill: told of every container that did not end by itself with a result.
    ///   - onOrphans: told how many containers of dead workers were removed.
    /// - Throws: `configuration` for a socket that is none, `cannotCreate` where the folder cannot be made.
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

    public func run(_ spec: TaskSpec, host: TaskHost, stop: StopRequest) async throws(ClairoError) -> TaskResult {
        do {
            return try await onDedicatedThread(name: "task") { try runHere(spec, host: host, stop: stop) }
        } catch {
            throw error as? ClairoError ?? .defect("\(error)")
        }
    }

    private func runHere(_ spec: TaskSpec, host: TaskHost, stop: StopRequest) throws(ClairoError) -> TaskResult {
        try stop.check()
        let engine = try DockerEngine(socket: options.socket)
        // Now and then: other workers may have died since.
        if lastSweep.isDue() { _ = try? removeOrphans(engine) }
        let labels = [
            "clairo.task": spec.taskID.rawValue, "clairo.job": spec.jobID.rawValue,
            "clairo.attempt": String(spec.attempt),
        ]
        return try withContainer(engine, labels: labels, stop: stop) {
            (container, socket, wake) throws(ClairoError) in
            try Supervisor(limits: options.limits.task, stop: stop, onKill: onKill)
                .run(spec, host: host, in: container, socket: socket, wake: wake)
        }
    }

    /// Starts a container, waits until it asks for its task, and removes it after `body`.
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
            if let ending = container.ending() {
                // It may have connected, spoken and ended meanwhile.
                if let socket = listener.connection() { return socket }
                throw notBegun(ending, container.lastWords())
            }
            guard begin.duration(to: .now) < .seconds(options.limits.startSeconds) else {
                onKill(.stalled)
                throw .crash(
                    "The task's container did not ask for its task within \(Int(options.limits.startSeconds)) s",
                    container.lastWords())
            }
            wake.wait(or: listener.descriptor, timeout: .milliseconds(250))
        }
    }

    private func notBegun(_ ending: TaskExit, _ messages: String) -> ClairoError {
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
            "The task's container from the image \(options.image) ended before it asked for its task (\(how))"
                + (messages.isEmpty ? "" : ": \(messages)"),
            advice: "Check that the image is of this version of Clairo (clairo doctor --executor docker).")
    }

    private func configuration(
        _ engine: DockerEngine, arguments: [String], labels: [String: String], place: String
    ) throws(ClairoError) -> ContainerConfiguration {
        let image = try image(engine)
        let limits = options.limits
        let cpus = if let cpus = limits.cpus { cpus } else { Double(try engine.details().cpus) }
        let task = limits.task
        // Read-only, or the daemon would make a volume on its disk for each.
        var places = (image.config?.volumes ?? [:]).mapValues { _ in "ro,noexec,nosuid,nodev,size=4k" }
        places["/tmp"] = "rw,noexec,nosuid,nodev,mode=1777,size=\(limits.scratchBytes)"
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
                tmpfs: places, mounts: [.init(source: place, target: "/work")]))
    }

    private func image(_ engine: DockerEngine) throws(ClairoError) -> ImageDetails {
        guard let image = try engine.image(options.image) else {
            throw ClairoError(
                kind: .capacity, exitCode: .configuration, "The Docker daemon has no image \(options.image)",
                advice: Self.noImageAdvice)
        }
        return image
    }

    // MARK: Orphans

    /// Removes the containers of workers that are gone, running or not.
    private func removeOrphans(_ engine: DockerEngine) throws(ClairoError) {
        let containers = try engine.containers(label: DockerWorkFolder.folderLabel, value: folder.identifier)
        let orphans = folder.orphans(among: containers)
        for orphan in orphans { try engine.remove(orphan.id) }
        folder.tidy()
        if !orphans.isEmpty { onOrphans(orphans.count) }
    }

    // MARK: Looking whether it works

    /// Asks the daemon, looks for the image, removes orphans, and has a container tell which walls stand in it. To be called
    /// before any work is taken.
    public func check() async throws(ClairoError) -> DockerReport {
        do {
            return try await onDedicatedThread(name: "docker") { try checkHere() }
        } catch {
            throw error as? ClairoError ?? .defect("\(error)")
        }
    }

    private func checkHere() throws(ClairoError) -> DockerReport {
        let engine = try DockerEngine(socket: options.socket)
        let details = try engine.details()
        let image = try image(engine)
        _ = lastSweep.isDue()
        try removeOrphans(engine)
        var patience = timeval(tv_sec: 30, tv_usec: 0)
        let sandbox = try withContainer(engine, arguments: ["--tell-sandbox"], stop: StopRequest()) {
            (container, socket, _) throws(ClairoError) in
            setsockopt(
                socket.descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
            // Any word lets it begin.
            _ = socket.send(try WireMessage(.answer, head: AnswerHead()))
            let report = try? socket.receive(WireLimits.fromChild)?.decodeHead(as: SandboxReport.self)
            guard let report else {
                throw .crash("A task's container does not get as far as its sandbox", container.lastWords())
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

/// What `DockerExecutor` has found.
public struct DockerReport: Sendable, Hashable {
    /// Of the daemon.
    public var version: String
    /// The image's id.
    public var image: String
    /// The walls that the child builds inside the container.
    public var sandbox: SandboxReport
    /// What the daemon's kernel cannot limit.
    public var missingLimits: [String]

    /// For people: what is missing; nil where nothing is.
    public var missing: String? {
        let limits = missingLimits.isEmpty ? "" : "limits of \(missingLimits.joined(separator: ", "))"
        let all = [sandbox.isComplete ? "" : sandbox.missing, limits].filter { !$0.isEmpty }
        return all.isEmpty ? nil : all.joined(separator: ", ")
    }

    /// Why nothing is to run in such containers; nil where it may.
    public func refusal(of mode: SandboxMode) -> ClairoError? {
        guard mode == .require, let missing else { return nil }
        return .configuration(
            "The sandbox is not complete in this Docker's containers; missing: \(missing)",
            advice: "Use Docker 23 or later with limits by cgroups, or --sandbox auto, behind the others.")
    }
}

/// When orphans were looked for last.
private final class SweepClock: Sendable {
    private let last = Mutex<ContinuousClock.Instant?>(nil)

    /// Whether it is time again; if so, it has been done.
    func isDue() -> Bool {
        last.withLock { last in
            if let last, last.duration(to: .now) < .seconds(60) { return false }
            last = .now
            return true
        }
    }
}
