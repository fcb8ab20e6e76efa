internal import CLinux
public import ClairoCore
internal import Foundation
internal import Glibc
internal import Synchronization

/// The child's side of the protocol: `clairo run-task` in its own process or container.
public struct TaskChild {
    /// The descriptor of the socket to the parent.
    static let descriptor: Int32 = 3

    private let engine: any TaskEngine
    private let sandbox: SandboxReport

    /// - Parameter sandbox: The active sandbox layers. Gaps are reported to the parent.
    public init(engine: any TaskEngine, sandbox: SandboxReport) {
        self.engine = engine
        self.sandbox = sandbox
    }

    /// Makes this process end when its parent ends.
    /// - Parameter parent: The parent's process id. If the current parent is a different one, the parent has already
    ///   ended.
    private static func tie(to parent: Int32) {
        // A crash must end the process at once. Swift's signal handlers would start a backtracer.
        for number in crashes { signal(number, SIG_DFL) }
        _ = clairo_set_parent_death_signal(SIGKILL)
        if getppid() != parent { _exit(ClairoError.ExitCode.temporary.rawValue) }
    }

    /// Makes the kernel's OOM killer choose this process first, whose work can be repeated, and not the worker, the
    /// database or other processes (proc(5), oom_score_adj).
    private static func offerItself() {
        try? Data("1000".utf8).write(to: URL(fileURLWithPath: "/proc/self/oom_score_adj"))
    }

    /// Makes this process end with its parent, waits until the parent has set its limits, and enters the sandbox. Call
    /// this while the process is single-threaded, before it reads anything untrusted.
    /// - Parameter layers: The sandbox layers to enter.
    public static func enclose(
        parent: Int32, sandbox: SandboxMode, layers: Set<SandboxLayer> = Set(SandboxLayer.allCases)
    ) -> SandboxReport {
        tie(to: parent)
        offerItself()
        // After a change of user, the parent may not be permitted to set limits. So it sends the first message after
        // setting them, and this waits for it.
        awaitFirstWord()
        guard sandbox != .off else { return SandboxReport() }
        // A change of user clears the parent-death signal, and prctl(2) is forbidden after the last layer.
        return Sandbox.enter(layers) { tie(to: parent) }
    }

    /// Connects this process, the first of a container, to the worker's Unix socket and enters the sandbox. Call this
    /// while the process is single-threaded, before it reads anything untrusted.
    ///
    /// The container replaces the layer `namespaces`: it has its own network, IPC and thread count.
    /// - Throws: `unavailable` if the socket cannot be connected.
    public static func enclose(
        connectingTo path: String, sandbox: SandboxMode, layers: Set<SandboxLayer> = Set(SandboxLayer.allCases)
    ) throws(ClairoError) -> SandboxReport {
        // The kernel drops signals that the first process of a container does not handle (pid_namespaces(7)).
        for number in crashes + [SIGXCPU, SIGTERM] { signal(number) { _exit(128 + $0) } }
        try connect(to: path)
        awaitFirstWord()
        guard sandbox != .off else { return SandboxReport() }
        var report = Sandbox.enter(layers.subtracting([.namespaces])) {}
        report.gaps.removeAll { $0.layer == .namespaces }
        return report
    }

    private static let crashes = [SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGABRT, SIGQUIT]

    private static func awaitFirstWord() {
        var byte: UInt8 = 0
        while recv(descriptor, &byte, 1, Int32(MSG_PEEK)) < 0, errno == EINTR {}
    }

    private static func connect(to path: String) throws(ClairoError) {
        let end = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        let result = withUnixAddress(path) { Glibc.connect(end, $0, $1) }
        guard result == 0 else {
            throw .unavailable("Cannot connect to the worker's socket \(path): \(String(cString: strerror(errno)))")
        }
        guard end != descriptor else { return }
        dup2(end, descriptor)
        close(end)
    }

    /// Reports the sandbox layers to the parent and exits.
    public static func tell(_ report: SandboxReport) -> Never {
        if let frame = try? WireMessage(.result, head: report) { _ = WireSocket(owning: descriptor).send(frame) }
        _exit(0)
    }

    /// Reports to the parent that there will be no result and exits.
    public static func fail(_ error: ClairoError) -> Never {
        if let frame = try? WireMessage(.failure, head: FailureHead(error)) {
            _ = WireSocket(owning: descriptor).send(frame)
        }
        _exit(0)
    }

    /// Receives a task from the parent, runs it and reports the result. Blocks and does not return: the process exits
    /// after the report.
    public func serve() -> Never {
        let channel = TaskChannel(socket: WireSocket(owning: Self.descriptor))
        let start = channel.start()
        if !sandbox.isComplete {
            channel.report(.note("The sandbox is not complete on this system; missing: \(sandbox.missing)"))
        }
        let report: WireMessage?
        do throws(ClairoError) {
            let source = start.sourceSize.map { RemoteSource(size: $0, etag: start.sourceETag, channel: channel) }
            let result = try engine.run(
                start.spec, io: TaskIO(source: source, output: RemoteStore(channel: channel)),
                observer: TaskObserver(progress: channel.reportProgress, update: channel.report), stop: StopRequest())
            channel.flushProgress()
            channel.flushUpdate()
            report = try WireMessage(.result, head: result)
        } catch {
            report = try? WireMessage(.failure, head: FailureHead(error))
        }
        if let report { channel.send(report) }
        // Exits without cleanup, because the kernel frees everything.
        _exit(0)
    }
}

/// Sends requests and reports to the parent. Any number of threads may use it.
final class TaskChannel: Sendable {
    private final class Waiter: Sendable {
        let answered = DispatchSemaphore(value: 0)
        let frame = Mutex<WireMessage?>(nil)
    }

    private struct Progress {
        var frames = 0
        var sent = ContinuousClock.now
        var isPending = false
    }

    private struct PendingUpdate {
        var latest: JobProgress?
        var phase: JobProgress.Phase?
        var sent = ContinuousClock.now
    }

    private let socket: WireSocket
    private let waiters = Mutex<(next: UInt32, waiting: [UInt32: Waiter])>((1, [:]))
    private let progress = Mutex(Progress())
    private let update = Mutex(PendingUpdate())

    init(socket: WireSocket) { self.socket = socket }

    /// Waits for the task, then starts a thread that receives replies.
    func start() -> StartHead {
        guard let frame = receive(), frame.kind == .start else { Self.leave() }
        guard let head = try? frame.decodeHead(as: StartHead.self) else {
            // A defect is retried and then dead-lettered. A usage error would fail the job as if its media were bad.
            TaskChild.fail(
                ClairoError(
                    kind: .defect, exitCode: .software, "The task was written by another version of Clairo",
                    advice: "Run workers and tasks from the same version; give --docker-image the worker's version."))
        }
        // Never ends by itself, so it is not joined.
        _ = WorkerThread(name: "task-replies") { [self] in
            while let frame = receive() {
                let waiter = waiters.withLock { $0.waiting.removeValue(forKey: frame.id) }
                waiter?.frame.withLock { $0 = frame }
                waiter?.answered.signal()
            }
            Self.leave()
        }
        return head
    }

    private func receive() -> WireMessage? { try? socket.receive(WireLimits.fromParent) }

    /// Exits because the connection to the parent has ended.
    private static func leave() -> Never { _exit(ClairoError.ExitCode.inputOutput.rawValue) }

    func send(_ frame: WireMessage) { if !socket.send(frame) { Self.leave() } }

    /// Sends a request and waits for the reply.
    func ask(_ request: RequestHead, payload: Data = Data()) throws(ClairoError) -> (head: AnswerHead, payload: Data) {
        let waiter = Waiter()
        let id = waiters.withLock { waiters in
            defer { waiters.next &+= 1 }
            waiters.waiting[waiters.next] = waiter
            return waiters.next
        }
        send(try WireMessage(.request, id: id, head: request, payload: payload))
        waiter.answered.wait()
        guard let frame = waiter.frame.withLock({ $0 }), let head = try? frame.decodeHead(as: AnswerHead.self) else {
            throw .defect("The parent's reply cannot be parsed")
        }
        if let failure = head.failure { throw failure.error }
        return (head, frame.payload)
    }

    /// Reports the number of finished frames, at most ten times per second.
    func reportProgress(_ frames: Int) {
        let due = progress.withLock { progress in
            progress.frames = max(progress.frames, frames)
            progress.isPending = true
            guard progress.sent.duration(to: .now) > .milliseconds(100) else { return false }
            progress.sent = .now
            return true
        }
        if due { flushProgress() }
    }

    func flushProgress() {
        let frames = progress.withLock { progress in
            defer { progress.isPending = false }
            return progress.isPending ? progress.frames : nil
        }
        if let frames, let frame = try? WireMessage(.progress, head: ProgressHead(frames: frames)) { send(frame) }
    }

    /// Reports an update: notes and changes of phase at once, frames at most ten times per second.
    func report(_ item: JobUpdate) {
        guard case .progress(let progress) = item else {
            flushUpdate()
            if let frame = try? WireMessage(.update, head: item) { send(frame) }
            return
        }
        let due = update.withLock { update in
            update.latest = progress
            guard update.phase != progress.phase || update.sent.duration(to: .now) > .milliseconds(100) else {
                return false
            }
            update.phase = progress.phase
            update.sent = .now
            return true
        }
        if due { flushUpdate() }
    }

    func flushUpdate() {
        let latest = update.withLock { update in
            defer { update.latest = nil }
            return update.latest
        }
        if let latest, let frame = try? WireMessage(.update, head: JobUpdate.progress(latest)) { send(frame) }
    }
}

/// The source as the child reads it.
///
/// The cost of a request exceeds the cost of its bytes, and demuxers read a few bytes at a time. So each request reads
/// ahead, and the last replies are cached. There are several, because audio and video readers share the source. A
/// request never includes bytes before the requested ones, because the parent may have to fetch them (`RetainedBytes`).
final class RemoteSource: ByteSource {
    let size: Int64
    let etag: String?
    private let channel: TaskChannel
    /// The handle of an opened object, or nil for the task's source.
    private let object: RemoteObject?
    private let answers = Mutex<[Answer]>([])

    private struct Answer {
        var offset: Int64
        var bytes: Data
    }

    private static let leastQuestion = 512 << 10
    private static let mostAnswers = 4

    init(size: Int64, etag: String?, channel: TaskChannel, object: RemoteObject? = nil) {
        self.size = size
        self.etag = etag
        self.channel = channel
        self.object = object
    }

    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(ClairoError) -> Int {
        guard !buffer.isEmpty, offset >= 0, offset < size else { return 0 }
        let known = answers.withLock { answers in
            answers.last { ($0.offset..<$0.offset + Int64($0.bytes.count)).contains(offset) }
        }
        let answer = if let known { known } else { try ask(at: offset, count: buffer.count) }
        return answer.bytes.dropFirst(Int(offset - answer.offset)).prefix(buffer.count).copyBytes(to: buffer)
    }

    private func ask(at offset: Int64, count: Int) throws(ClairoError) -> Answer {
        let payload = try channel.ask(
            RequestHead(
                operation: object == nil ? .source : .read, offset: offset,
                count: min(max(count, Self.leastQuestion), WireLimits.piece), handle: object?.handle)
        ).payload
        let answer = Answer(offset: offset, bytes: payload)
        // Large reads are sequential, so they are not cached.
        if count < Self.leastQuestion {
            answers.withLock { $0 = $0.suffix(Self.mostAnswers - 1) + [answer] }
        }
        return answer
    }
}

/// An object that the parent keeps open while the child reads it. Deinitialization closes it.
final class RemoteObject: Sendable {
    let handle: Int?
    private let channel: TaskChannel

    init(handle: Int?, channel: TaskChannel) {
        self.handle = handle
        self.channel = channel
    }

    deinit { _ = try? channel.ask(RequestHead(operation: .close, handle: handle)) }
}
