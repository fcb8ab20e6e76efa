import ClairoCore
import ClairoStorage
import ClairoTestSupport
import Foundation
import Synchronization
import Testing

@testable import ClairoExecutors

/// Whatever a task process does, it is one failed attempt at most, and the worker continues.
@Suite(.sharesMachine) struct ProcessExecutorTests {
    /// Runs a process that misbehaves instead of running its task.
    private func run(
        _ misbehaviour: String, limits: ProcessLimits = ProcessLimits(), store: any ObjectStore = MemoryStore(),
        plan: Plan = MisbehavingProcess.plan, stop: StopRequest = StopRequest()
    ) async throws(ClairoError) -> TaskResult {
        // Without the sandbox, which has its own tests: here the process should get as far as it can.
        try await MisbehavingProcess(misbehaviour, limits: limits, sandbox: .off).run(
            store: store, plan: plan, stop: stop)
    }

    private func error(
        _ misbehaviour: String, limits: ProcessLimits = ProcessLimits(), store: any ObjectStore = MemoryStore(),
        plan: Plan = MisbehavingProcess.plan
    ) async -> ClairoError? {
        do throws(ClairoError) {
            _ = try await run(misbehaviour, limits: limits, store: store, plan: plan)
            return nil
        } catch { return error }
    }

    @Test(arguments: [
        ("segv", "crashed (signal 11)"), ("abort", "crashed (signal 6)"), ("exit", "exit 3"),
        ("garbage", "sent a message of kind 72"), ("hugeFrame", "sent a message of"),
        ("unknownOperation", "sent an unreadable message of kind request"),
        ("forge", "sent an invalid result: its usage is out of range"),
        ("hurry", "sent invalid progress"),
        ("longKey", "invalid object name"), ("refuse", "reported a refusal by a service that did not refuse"),
    ])
    func misbehaviourIsReportedAsADefectWithItsReason(misbehaviour: String, words: String) async throws {
        let error = try #require(await error(misbehaviour))
        #expect(error.kind == .defect)
        #expect(error.message.contains(words), "\(error)")
    }

    @Test(arguments: [
        ClairoError.refused("AccessDenied"), ClairoError(kind: .capacity, exitCode: .inputOutput, "the store is full"),
    ])
    func anErrorOfTheStoreKeepsItsKind(_ given: ClairoError) async throws {
        #expect(await error("flood", store: FailingStore(error: given)) == given)
    }

    @Test func theMessageContainsTheEndOfTheProcessOutput() async throws {
        let error = try #require(await error("waste"))
        #expect(error.message.hasSuffix("xxxthe last words"))
        #expect(error.message.utf8.count < 3000)
    }

    @Test(arguments: ["loop", "spin", "silence"])
    func aStalledProcessIsKilled(misbehaviour: String) async throws {
        let error = try #require(await error(misbehaviour, limits: ProcessLimits(stallSeconds: 1)))
        #expect(error.kind == .defect)
        #expect(error.message.contains("made no progress for 1 s"), "\(error)")
    }

    @Test func aProcessThatExceedsItsTimeLimitIsKilled() async throws {
        let error = try #require(await error("silence", limits: ProcessLimits(wallSeconds: 1)))
        #expect(error.kind == .defect)
        #expect(error.message.contains("ran for 1 s"), "\(error)")
    }

    @Test func cpuTimeIsLimited() async throws {
        let error = try #require(await error("spin", limits: ProcessLimits(cpuSeconds: 1)))
        #expect(error.kind == .defect)
        #expect(error.message.contains("more than 1 s of CPU time"), "\(error)")
    }

    @Test func exceedingTheMemoryLimitIsADefect() async throws {
        let error = try #require(await error("memory", limits: ProcessLimits(memory: 512 << 20)))
        #expect(error.kind == .defect)
        #expect(error.message.contains("512 MiB"), "\(error)")
    }

    @Test func outputIsLimited() async throws {
        let error = try #require(await error("flood", limits: ProcessLimits(outputBytes: 10 << 20)))
        #expect(error.kind == .defect)
        #expect(error.message.contains("more than the limit of \(10 << 20) bytes"), "\(error)")
    }

    /// The plan limits it.
    @Test func theOutputOfATaskIsLimitedByItsPlan() async throws {
        // One segment of 6 s: 400 kbit/s, the encoder's buffer and 64 bytes per frame, times four, plus 64 MiB.
        let limit = 64 << 20 + 4 * ((6 * 400_000 + 800_000) / 8 + 150 * 64)
        let plan = Plan.sample(chunks: 1, segmentsPerChunk: 1)
        let error = try #require(await error("flood", plan: plan))
        #expect(error.kind == .defect)
        #expect(error.message.contains("more than the limit of \(limit) bytes"), "\(error)")
    }

    /// The number of objects is limited too, because even empty objects use space.
    @Test func theNumberOfEmptyObjectsIsLimited() async throws {
        let store = MemoryStore()
        let error = try #require(await error("empties", limits: ProcessLimits(outputBytes: 1 << 20), store: store))
        #expect(error.kind == .defect)
        #expect(error.message.contains("more than the limit of \(1 << 20) bytes"), "\(error)")
        #expect(try store.list(prefix: "").count == 256)
    }

    /// Objects larger than one message of the protocol, in both directions.
    @Test func objectsAreTransferredIntactInBothDirections() async throws {
        let store = MemoryStore()
        try store.put(Data("there".utf8), at: "given/x")
        let result = try await run("exchange", store: store)
        #expect(result.warnings == [])
        let (whole, written): (ObjectKey, ObjectKey) = ("video/180p/00001.m4s", "video/180p/00002.m4s")
        #expect(try store.list(prefix: "") == ["given/x", whole, written])
        #expect(try store.get(whole) == store.get(written))
        #expect(try store.size(of: whole) == 20 << 20)
    }

    /// A request costs both sides more than its bytes. A demuxer requests 64 KiB at a time.
    @Test func theSourceIsReadInLargePieces() async throws {
        // Noise, which gives a large file of a few seconds.
        let clip = try await Clip(seconds: 4, video: .graph("testsrc2=s=640x360:r=25:d=4,noise=alls=100:allf=t"))
            .make()
        let source = CountingSource(try FileByteSource(path: clip.path))
        try #require(source.size > 4 << 20)
        let executor = ProcessExecutor(executable: ClairoProcess.path)
        let job = TaskJob(
            source: source, name: "clip", settings: ExecutorContractTests.settings, output: MemoryStore())
        let (_, results) = try await job.run { spec, io in
            try await executor.run(spec, io: io, stop: StopRequest())
        }
        #expect(source.asked < results.count * (Int(source.size) / (512 << 10) + 8))
    }

    @Test func keysOutsideTheFolderAreRefused() async throws {
        let store = MemoryStore()
        let result = try await run("badKeys", store: store)
        #expect(result.warnings.map(\.message) == Array(repeating: "defect", count: 16))
        #expect(try store.list(prefix: "") == [])
    }

    @Test func aTaskCannotChangeObjectsOfOtherTasks() async throws {
        let store = MemoryStore()
        let theirs: [ObjectKey] = ["given/x", "video/180p/00301.m4s"]
        let own: ObjectKey = "video/180p/00001.m4s"
        for key in theirs + [own] { try store.put(Data("there".utf8), at: key) }
        #expect(try await run("foreignKeys", store: store).warnings == [])
        #expect(try store.list(prefix: "") == [theirs[0], own, theirs[1]])
        for key in theirs { #expect(try store.get(key) == Data("there".utf8)) }
    }

    @Test func descendantsAreKilledWithTheProcess() async throws {
        let result = try await run("fork")
        let identifier = try #require(result.warnings.first.flatMap { pid_t($0.message) })
        #expect(identifier > 1)
        #expect(await isGone(identifier))
    }

    @Test func aClosedSocketIsADefect() async throws {
        #expect(await error("closeSocket", limits: ProcessLimits(stallSeconds: 1))?.kind == .defect)
    }

    @Test func theProcessInheritsNoVariablesOrDescriptorsAndHasItsOwnGroup() async throws {
        let found = Set(try await run("describe").warnings.map(\.message))
        #expect(found.filter { $0.hasPrefix("variable") } == [])
        let descriptors = found.filter { $0.first?.isNumber == true }
        #expect(
            descriptors.subtracting(["0 /dev/null", "1 /dev/null", "2 pipe", "3 socket"]).filter {
                // Opened by the process itself.
                !$0.contains("anon_inode") && !$0.contains("/proc/")
            } == [])
        #expect(descriptors.isSuperset(of: ["0 /dev/null", "1 /dev/null", "2 pipe", "3 socket"]))
        #expect(
            found.isSuperset(of: ["group true", "folder /", "limit core 0", "limit files 64", "limit size 0"]),
            "\(found)")
    }

    @Test func aProcessKilledFromOutsideIsADefectAndItsChildrenEnd() async throws {
        let store = MemoryStore()
        async let outcome = error("nest", store: store)
        let (child, grandchild) = try await nested(store)
        kill(child, SIGKILL)
        let error = try #require(await outcome)
        #expect(error.kind == .defect)
        #expect(error.message.contains("signal 9"), "\(error)")
        // The kernel also kills a grandchild in its own process group when its parent dies.
        #expect(await isGone(grandchild))
    }

    @Test func theProcessEndsWithItsParent() async throws {
        let (store, stop) = (MemoryStore(), StopRequest())
        let outcome = Task { try await run("nest", store: store, stop: stop) }
        let (child, grandchild) = try await nested(store)
        stop.cancel()
        await #expect(throws: ClairoError.cancelled) { try await outcome.value }
        #expect(await isGone(child))
        #expect(await isGone(grandchild))
    }

    @Test func aMissingProgramIsADefect() async throws {
        let job = TaskJob(source: MemorySource(Data([1])), name: "x", settings: TranscodeSettings())
        let (spec, io) = (job.spec(.plan(try job.planRequest)), job.io)
        await #expect {
            try await ProcessExecutor(executable: "/nowhere/clairo").run(spec, io: io, stop: StopRequest())
        } throws: { ($0 as? ClairoError)?.message.contains("cannot be started") == true }
    }

    @Test(arguments: [
        ("video/720p/00001.m4s", true), ("clairo.json", true), ("a/b", true), ("ü/日本", true), ("", false), ("/", false),
        ("/a", false), ("a/", false), ("a//b", false), ("..", false), ("a/../b", false), ("./a", false),
        ("a\\b", false),
        ("a\nb", false), ("a\u{7F}", false), (String(repeating: "a/", count: 256) + "a", false),
        // A store appends to a component, and a component is limited to 255 bytes (NAME_MAX).
        ("a/" + String(repeating: "b", count: 200), true), ("a/" + String(repeating: "b", count: 201), false),
    ])
    func onlyPlainNamesAreValidKeys(name: String, isPlain: Bool) { #expect(TaskServer.isPlain(name) == isPlain) }

    // MARK: Helpers

    /// A process that runs a task, and its child.
    private func nested(_ store: MemoryStore) async throws -> (child: pid_t, grandchild: pid_t) {
        try await eventually { try store.size(of: "video/180p/00001.m4s") != nil }
        let text = String(decoding: try store.get("video/180p/00001.m4s"), as: UTF8.self)
        let grandchild = try #require(text.split(separator: " ").first.flatMap { pid_t($0) })
        let status = try String(contentsOfFile: "/proc/\(grandchild)/status", encoding: .utf8)
        let parent = try #require(status.split(separator: "\n").first { $0.hasPrefix("PPid:") })
        return (try #require(pid_t(parent.split(separator: "\t")[1])), grandchild)
    }

    /// Waits until a process is gone or a zombie.
    private func isGone(_ identifier: pid_t) async -> Bool {
        for _ in 0..<24_000 {
            guard let stat = try? String(contentsOfFile: "/proc/\(identifier)/stat", encoding: .utf8),
                !stat.contains(") Z ")
            else { return true }
            try? await Task.sleep(for: .milliseconds(5))
        }
        return false
    }
}

private final class CountingSource: ByteSource {
    private let source: any ByteSource
    private let count = Mutex(0)

    init(_ source: any ByteSource) { self.source = source }

    var size: Int64 { source.size }
    var etag: String? { source.etag }
    /// The number of reads.
    var asked: Int { count.withLock { $0 } }

    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(ClairoError) -> Int {
        count.withLock { $0 += 1 }
        return try source.read(at: offset, into: buffer)
    }
}
