import ClairoCore
import ClairoTestSupport
import Foundation
import Synchronization
import Testing

@testable import ClairoExecutors

/// Whatever happens in or to a task's container is one failed attempt, and the worker continues.
@Suite(
    .sharesMachine,
    .enabled(if: DockerDaemon.isPossible, "no Docker daemon of our own here: \(DockerDaemon.lacking ?? "") is lacking"))
struct DockerExecutorTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private struct Outcome {
        var error: ClairoError?
        var kills: [TaskKill]
        var warnings: [String] = []
    }

    /// Runs a misbehaving process with only the container's isolation.
    private func outcome(
        _ misbehaviour: String, target: String = "", limits: DockerLimits = DockerLimits(),
        sandbox: SandboxMode = .off, store: any ObjectStore = MemoryStore(), stop: StopRequest = StopRequest()
    ) async throws -> Outcome {
        let kills = Mutex<[TaskKill]>([])
        let executor = try await DockerExecutor.underTest(
            in: scratch, misbehaviour, target: target, limits: limits, sandbox: sandbox,
            onKill: { kill in kills.withLock { $0.append(kill) } })
        do throws(ClairoError) {
            let result = try await MisbehavingProcess(in: executor).run(store: store, stop: stop)
            return Outcome(kills: kills.withLock { $0 }, warnings: result.warnings.map(\.message))
        } catch {
            return Outcome(error: error, kills: kills.withLock { $0 })
        }
    }

    // MARK: Outcomes

    static let misbehaviours: [(String, DockerLimits, TaskKill, String)] = [
        ("segv", DockerLimits(), .crash, "crashed (signal 11)"),
        ("abort", DockerLimits(), .crash, "crashed (signal 6)"),
        ("exit", DockerLimits(), .noResult, "exit 3"),
        ("garbage", DockerLimits(), .badProtocol, "sent a message of kind 72"),
        ("hugeFrame", DockerLimits(), .badProtocol, "sent a message of"),
        ("waste", DockerLimits(), .noResult, "xxxthe last words"),
        ("silence", DockerLimits(task: ProcessLimits(stallSeconds: 1)), .stalled, "made no progress for 1 s"),
        ("closeSocket", DockerLimits(), .noResult, "ended without a result"),
        ("silence", DockerLimits(task: ProcessLimits(wallSeconds: 1)), .wallTime, "ran for 1 s"),
        ("spin", DockerLimits(task: ProcessLimits(cpuSeconds: 1)), .cpuTime, "more than 1 s of CPU time"),
        ("memory", DockerLimits(task: ProcessLimits(memory: 256 << 20)), .memory, "more than its limit of 256 MiB"),
        ("bomb", DockerLimits(task: ProcessLimits(stallSeconds: 2), processes: 64), .stalled, "made no progress"),
    ]

    @Test(arguments: misbehaviours.indices) func misbehaviourIsReportedAsADefectWithItsReason(index: Int) async throws {
        let (misbehaviour, limits, kill, words) = Self.misbehaviours[index]
        let outcome = try await outcome(misbehaviour, limits: limits)
        #expect(outcome.error?.kind == .defect, "\(misbehaviour): \(outcome)")
        #expect(outcome.error?.message.contains(words) == true, "\(misbehaviour): \(outcome)")
        #expect(outcome.kills == [kill], "\(misbehaviour)")
        #expect(try await ContainersUnderTest(scratch).all() == [])
        // The next task still runs.
        let store = MemoryStore()
        try store.put(Data("there".utf8), at: "given/x")
        let next = try await self.outcome("exchange", sandbox: .auto, store: store)
        #expect(next.error == nil && next.warnings == [] && next.kills == [])
    }

    @Test func aStopEndsTheContainerAndLeavesNothing() async throws {
        let (containers, stop) = (try await ContainersUnderTest(scratch), StopRequest())
        async let stopped = outcome("silence", stop: stop)
        _ = try await containers.running()
        stop.cancel()
        let outcome = try await stopped
        #expect(outcome.error == .cancelled && outcome.kills == [])
        #expect(try await containers.all() == [])
        #expect(files(below: scratch.path("docker")).keys.sorted() == ["id"])
    }

    /// A stopping daemon kills its containers, and an operator may remove one by mistake. Neither is the fault of the
    /// media.
    @Test(arguments: [["kill"], ["rm", "--force"]])
    func aContainerKilledFromOutsideIsATransientError(_ command: [String]) async throws {
        let containers = try await ContainersUnderTest(scratch)
        async let killed = outcome("silence")
        let id = try await containers.running()
        _ = try await containers.daemon.docker(command + [id])
        let error = try #require(await killed.error)
        #expect(error.kind == .transient, "\(error)")
        #expect(try await containers.all() == [])
    }

    // MARK: Isolation

    @Test func theContainersConfigurationGrantsNothing() async throws {
        let containers = try await ContainersUnderTest(scratch)
        let stop = StopRequest()
        async let running = outcome(
            "silence", limits: DockerLimits(task: ProcessLimits(memory: 300 << 20), cpus: 1.5), stop: stop)
        let id = try await containers.running()
        let output = try await containers.daemon.docker("inspect", id)
        stop.cancel()
        _ = try await running
        let container = try #require(
            try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [[String: Any]]
        ).first
        let host = try #require(container?["HostConfig"] as? [String: Any])
        let numbers = [
            "Memory": 300 << 20, "MemorySwap": 300 << 20, "NanoCpus": 1_500_000_000, "PidsLimit": 4096,
            "OomScoreAdj": 1000,
        ]
        for (name, value) in numbers { #expect(host[name] as? Int == value, "\(name)") }
        #expect(host["ReadonlyRootfs"] as? Bool == true && host["Privileged"] as? Bool == false)
        #expect(host["NetworkMode"] as? String == "none" && host["IpcMode"] as? String == "none")
        #expect(host["CapDrop"] as? [String] == ["ALL"] && host["CapAdd"] as? [String] ?? [] == [])
        #expect(host["SecurityOpt"] as? [String] == ["no-new-privileges"])
        let configuration = try #require(container?["Config"] as? [String: Any])
        #expect(configuration["User"] as? String == "65534:65534")
        // The image's volume is not mounted, because it would be a writable place on the host's disk.
        let mounts = try #require(container?["Mounts"] as? [[String: Any]])
        #expect(mounts.map { $0["Destination"] as? String } == ["/work"] && mounts.first?["RW"] as? Bool == false)
    }

    /// With only the container's isolation, without the task's own sandbox.
    @Test func anAttackerGainsNothingInTheContainer() async throws {
        let canary = try scratch.write("untouched", to: "canary")
        let server = try Canary(path: scratch.path("socket"))
        func tried(_ target: String) async throws -> Set<String> {
            let outcome = try await outcome("escape", target: target)
            #expect(outcome.error == nil, "\(target): \(outcome)")
            return Set(outcome.warnings.filter { $0.hasSuffix(": done") }.map { String($0.dropLast(6)) })
        }
        // Files of the image are readable except root's own, and an empty file can be created in memory.
        let opened = try await tried("files:\(scratch.path)")
        let harmless: Set = [
            "read /", "read /dev/null", "read /proc/self/environ", "write /tmp/new", "write /proc/self/oom_score_adj",
        ]
        #expect(opened.subtracting(harmless) == [])
        for target in [
            "tcp:\(server.port)", "unix:\(server.path)", "unix:\(server.abstractName)", "mount", "ring",
        ] {
            #expect(try await tried(target) == [], "\(target)")
        }
        // The container has no other process to signal or inspect.
        for target in ["killAll", "trace"] { #expect(try await tried(target) == [], "\(target)") }
        #expect(server.connections == 0)
        #expect(try String(contentsOfFile: canary, encoding: .utf8) == "untouched")
    }

    @Test(arguments: [SandboxMode.off, .auto]) func processesAndThreadsAreLimited(sandbox: SandboxMode) async throws {
        let tried = try await outcome(
            "escape", target: "threads", limits: DockerLimits(processes: 100), sandbox: sandbox
        ).warnings
        let count = try #require(tried.first?.split(separator: " ").last.flatMap { Int($0) })
        #expect((20...100).contains(count))
    }

    /// With both layers, an attempt to access other processes ends it, as in a plain process.
    @Test(arguments: ["fork", "execute", "killAll", "trace", "mount", "tcp:9", "unix:/work/socket"])
    func theTasksOwnSandboxWorksInTheContainer(target: String) async throws {
        let outcome = try await outcome("escape", target: target, sandbox: .auto)
        #expect(outcome.error?.kind == .defect && outcome.kills == [.forbiddenCall], "\(target): \(outcome)")
    }

    @Test func aTaskCannotFillTheDisk() async throws {
        let tried = try await outcome("escape", target: "disk").warnings
        // The process's own file size limit applies first. Without it, the size of the small /tmp does.
        #expect(tried == ["disk: 0 bytes"], "\(tried)")
        let limits = DockerLimits(task: ProcessLimits(fileSize: 1 << 40), scratchBytes: 1 << 20)
        let more = try await outcome("escape", target: "disk", limits: limits).warnings
        #expect(more == ["disk: \(1 << 20) bytes"], "\(more)")
    }

    // MARK: Missing parts

    private func error(_ executor: DockerExecutor) async -> ClairoError? {
        await MisbehavingProcess(in: executor).error()
    }

    @Test func aMissingImageIsNotTheJobsFault() async throws {
        let executor = try await DockerExecutor.underTest(in: scratch, image: "no/such:image")
        let error = try #require(await error(executor))
        #expect(error.kind == .refused && error.exitCode == .configuration)
        #expect(error.message.contains("no image no/such:image") && error.advice?.contains("--docker-image") == true)
    }

    @Test func anUnavailableDaemonIsNotTheJobsFault() async throws {
        let executor = try await DockerExecutor.underTest(
            in: scratch, image: "any", socket: "unix://\(scratch.path("none.sock"))")
        let error = try #require(await error(executor))
        #expect(error.kind == .capacity && error.exitCode == .unavailable, "\(error)")
        #expect(error.message.contains(scratch.path("none.sock")) && error.advice?.contains("DOCKER_HOST") == true)
    }

    @Test func anImageWithAnotherProgramIsReported() async throws {
        let daemon = try await DockerDaemon.shared
        try scratch.write("", to: "empty")
        let archive = scratch.path("empty.tar")
        _ = try await ChildProcess("tar", ["-C", scratch.path, "-cf", archive, "empty"]).outcome()
        try await daemon.docker("import", "--change", "ENTRYPOINT [\"/bin/other\"]", archive, "empty-under-test")
        let executor = try await DockerExecutor.underTest(in: scratch, image: "empty-under-test")
        let error = try #require(await error(executor))
        #expect(error.kind == .defect && error.exitCode == .configuration, "\(error)")
        #expect(error.message.contains("/bin/other") && error.advice?.contains("--docker-image") == true, "\(error)")
        #expect(try await ContainersUnderTest(scratch).all() == [])
    }

    @Test(.enabled(if: SmallDisk.isPossible)) func aDaemonWithoutDiskSpaceIsACapacityError() async throws {
        let disk = try await SmallDisk(scratch, kilobytes: 32 << 10)
        let folder = "/tmp/clairo-docker-full-\(getpid())"
        let daemon = try await DockerDaemon.start(folder: folder, data: disk.path)
        try scratch.write("", to: "empty")
        let archive = scratch.path("empty.tar")
        _ = try await ChildProcess("tar", ["-C", scratch.path, "-cf", archive, "empty"]).outcome()
        try await daemon.docker("import", "--change", "ENTRYPOINT [\"/bin/other\"]", archive, "empty-under-test")
        let filled = FileManager.default.createFile(atPath: disk.path + "/filler", contents: nil)
        let file = try #require(FileHandle(forWritingAtPath: disk.path + "/filler"))
        try #require(filled)
        for count in [1 << 20, 4096] {
            while (try? file.write(contentsOf: Data(repeating: 1, count: count))) != nil {}
        }
        let executor = try await DockerExecutor.underTest(
            in: scratch, image: "empty-under-test", socket: daemon.url)
        let error = try #require(await error(executor))
        #expect(error.kind == .capacity && error.exitCode == .inputOutput, "\(error)")
        #expect(error.advice?.contains("space") == true)
        // Before its disk is unmounted.
        await daemon.stop()
    }

    // MARK: Checks and cleanup

    @Test func aCheckReportsTheSandboxLayers() async throws {
        let report = try await DockerExecutor.underTest(in: scratch).check()
        #expect(report.image.hasPrefix("sha256:") && !report.version.isEmpty)
        #expect(report.missingLimits == [])
        // Docker permits landlock since version 23.
        let missing = report.sandbox.gaps.map(\.layer)
        #expect(missing == [] || missing == [.landlock], "\(report)")
        #expect((report.refusal(of: .require) == nil) == missing.isEmpty)
        #expect(report.refusal(of: .auto) == nil)
        #expect(try await ContainersUnderTest(scratch).all() == [])
    }

    @Test func onlyContainersOfDeadWorkersAreRemoved() async throws {
        let containers = try await ContainersUnderTest(scratch)
        let stop = StopRequest()
        let removed = Mutex(0)
        // A running worker with the same folder.
        async let living = outcome("silence", stop: stop)
        let its = try await containers.running()
        // A worker that was killed before it could remove anything: its lock is free.
        let folder = try DockerWorkFolder(scratch.path("docker"))
        var orphans: [String] = []
        for command in ["create", "run"] {
            let words =
                [command] + (command == "run" ? ["--detach"] : [])
                + ["--label", "clairo.folder=\(folder.identifier)", "--label", "clairo.worker=00dead00"]
                + ["--env", "CLAIRO_HOME=/tmp", "--tmpfs", "/tmp", "--network", "none"]
                + [try await DockerDaemon.image, "serve"]
            let outcome = try await containers.daemon.docker(words)
            try #require(outcome.status == 0, "\(outcome)")
            orphans.append(outcome.text.trimmingCharacters(in: .newlines))
        }
        #expect(Set(try await containers.all()) == Set(orphans + [its]))
        let next = try await DockerExecutor.underTest(
            in: scratch, onOrphans: { count in removed.withLock { $0 += count } })
        _ = try await next.check()
        #expect(try await containers.all() == [its])
        #expect(removed.withLock { $0 } == 2)
        stop.cancel()
        #expect(try await living.error == .cancelled)
    }
}
