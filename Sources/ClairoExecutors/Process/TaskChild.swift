internal import CLinux
public import ClairoCore
internal import Foundation
internal import Glibc
internal import Synchronization

/// The child's end of the talk: what `clairo run-task` does, in a process of its own or in a container.
public struct TaskChild {
    /// Where the socket to the parent is.
    static let descriptor: Int32 = 3

    private let engine: any TaskEngine
    private let walls: SandboxReport

    /// - Parameter walls: those that stand; the parent is told which are missing.
    public init(engine: any TaskEngine, walls: SandboxReport) {
        self.engine = engine
        self.walls = walls
    }

    /// Ties this process to the one that started it: it ends when that one does.
    /// - Parameter parent: the parent as it names itself; another one means that it has gone already.
    private static func tie(to parent: Int32) {
        // A crash is to end the process at once. Swift would start a program that explains it to a developer.
        for number in crashes { signal(number, SIG_DFL) }
        _ = clairo_set_parent_death_signal(SIGKILL)
        if getppid() != parent { _exit(ClairoError.ExitCode.temporary.rawValue) }
    }

    /// Where memory runs out, the kernel is to end this process before any other: its work is done again, and the worker,
    /// the database or whatever else is beside it goes on (proc(5), oom_score_adj).
    private static func offerItself() {
        try? Data("1000".utf8).write(to: URL(fileURLWithPath: "/proc/self/oom_score_adj"))
    }

    /// Ties this process to its parent, waits until the parent has set its limits, and builds its walls. To be called first
    /// of all, while the process has one thread.
    /// - Parameter layers: the walls to build.
    public static func enclose(
        parent: Int32, sandbox: SandboxMode, layers: Set<SandboxLayer> = Set(SandboxLayer.allCases)
    ) -> SandboxReport {
        tie(to: parent)
        offerItself()
        // The parent may not be allowed to set the limits of another user's process. It speaks after it has set them.
        awaitFirstWord()
        guard sandbox != .off else { return SandboxReport() }
        // A new user is a new start for the kernel, which forgets the tie, and prctl(2) is behind the last wall.
        return Sandbox.enter(layers) { tie(to: parent) }
    }

    /// Connects this process, the first of a container, to whoever waits at a unix socket, and builds its walls. To be called
    /// first of all, while the process has one thread.
    ///
    /// The container's are not built again: it has a user, empty networks, IPC and a count of threads of its own.
    /// - Throws: `unavailable` where nobody is there.
    public static func enclose(
        connectingTo path: String, sandbox: SandboxMode, layers: Set<SandboxLayer> = Set(SandboxLayer.allCases)
    ) throws(ClairoError) -> SandboxReport {
        // The first process of a container is not ended by a signal that it does not expect (pid_namespaces(7)).
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
            throw .unavailable("Nobody gives a task at \(path): \(String(cString: strerror(errno)))")
        }
        guard end != descriptor else { return }
        dup2(end, descriptor)
        close(end)
    }

    /// Tells the parent which walls stand, and ends the process.
    public static func tell(_ report: SandboxReport) -> Never {
        if let frame = try? WireMessage(.result, head: report) { _ = WireSocket(owning: descriptor).send(frame) }
        _exit(0)
    }

    /// Tells the parent that there will be no result, and ends the process.
    public static func fail(_ error: ClairoError) -> Never {
        if let frame = try? WireMessage(.failure, head: FailureHead(error)) {
            _ = WireSocket(owning: descriptor).send(frame)
        }
        _exit(0)
    }

    /// Takes the task from the parent, does it and reports. Blocks, and does not return: the process ends with the report.
    public func serve() -> Never {
        let channel = TaskChannel(socket: WireSocket(owning: Self.descriptor))
        let start = channel.start()
        if !walls.isComplete {
            channel.report(.note("The sandbox is not complete on this system; missing: \(walls.missing)"))
        }
        let report: WireMessage?
        do throws(ClairoError) {
            let source = start.sourceSize.map { RemoteSource(size: $0, etag: start.sourceETag, channel: channel) }
            let result = try engine.run(
                start.spec, io: TaskIO(source: source, output: RemoteStore(channel: channel)),
                observer: TaskObserver(progress: channel.reportProgress, news: channel.report), stop: StopRequest())
            channel.flushProgress()
            channel.flushNews()
            report = try WireMessage(.result, head: result)
        } catch {
            report = try? WireMessage(.failure, head: FailureHead(error))
        }
        if let report { channel.send(report) }
        // Nothing is left to tidy: whatever this process has is the kernel's to take back.
        _exit(0)
    }
}

/// Requests to the parent, from any thread at once.
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

    private struct News {
        var latest: JobProgress?
        var phase: JobProgress.Phase?
        var sent = ContinuousClock.now
    }

    private let socket: WireSocket
    private let waiters = Mutex<(next: UInt32, waiting: [UInt32: Waiter])>((1, [:]))
    private let progress = Mutex(Progress())
    private let news = Mutex(News())

    init(socket: WireSocket) { self.socket = socket }

    /// Waits for the task, then lets a thread take the answers.
    func start() -> StartHead {
        guard let frame = receive(), frame.kind == .start, let head = try? frame.decodeHead(as: StartHead.self) else {
            Self.leave()
        }
        Thread.detachNewThread { [self] in
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

    /// Without a parent there is nobody to work for.
    private static func leave() -> Never { _exit(ClairoError.ExitCode.temporary.rawValue) }

    func send(_ frame: WireMessage) { if !socket.send(frame) { Self.leave() } }

    /// Sends a request and waits for its answer.
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
            throw .defect("The parent's answer cannot be read")
        }
        if let failure = head.failure { throw failure.error }
        return (head, frame.payload)
    }

    /// Ten times a second is enough for anybody who watches.
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

    /// Notes and phases at once, frames as seldom as above.
    func report(_ item: JobNews) {
        guard case .progress(let progress) = item else {
            flushNews()
            if let frame = try? WireMessage(.news, head: item) { send(frame) }
            return
        }
        let due = news.withLock { news in
            news.latest = progress
            guard news.phase != progress.phase || news.sent.duration(to: .now) > .milliseconds(100) else {
                return false
            }
            news.phase = progress.phase
            news.sent = .now
            return true
        }
        if due { flushNews() }
    }

    func flushNews() {
        let latest = news.withLock { news in
            defer { news.latest = nil }
            return news.latest
        }
        if let latest, let frame = try? WireMessage(.news, head: JobNews.progress(latest)) { send(frame) }
    }
}

/// The source as the child has it.
///
/// A question costs both sides more than the bytes do, and demuxers ask for a few at a time: more is asked for than is
/// wanted, and the last answers are kept, of several as readers of sound and pictures go through the source together.
/// What lies before the wanted bytes is not asked for: it may be far away (`RetainedBytes`).
final class RemoteSource: ByteSource {
    let size: Int64
    let etag: String?
    private let channel: TaskChannel
    /// Of an object that was opened; nil for the task's source.
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
        // Who reads much at once goes through the source once.
        if count < Self.leastQuestion {
            answers.withLock { $0 = $0.suffix(Self.mostAnswers - 1) + [answer] }
        }
        return answer
    }
}

/// An object that the parent keeps open for as long as somebody reads it here.
final class RemoteObject: Sendable {
    let handle: Int?
    private let channel: TaskChannel

    init(handle: Int?, channel: TaskChannel) {
        self.handle = handle
        self.channel = channel
    }

    deinit { _ = try? channel.ask(RequestHead(operation: .close, handle: handle)) }
}
