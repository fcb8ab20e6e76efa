internal import ClairoCore
internal import Foundation
internal import Synchronization

/// The parent's side of the protocol: serves the requests of a task's process from `TaskIO`.
///
/// One thread receives requests and a few others serve them, so that a slow write does not delay reads of the source.
/// The number of unserved requests is bounded. When it is reached, no more are received.
final class TaskServer: Sendable {
    enum Ending: Sendable {
        case result(TaskResult)
        case failure(ClairoError)
        case broken(String)
    }

    private struct State {
        var ending: Ending?
        /// The number of requests in progress.
        var working = 0
        var lastSign = ContinuousClock.now
        var frames = 0
        var notes = 0
        var outputBytes: Int64 = 0
        /// The kinds of errors of the requests.
        var errors: Set<ClairoError.Kind> = []
        var hasServed = false
    }

    private static let answerers = 4
    private static let waiting = 4
    /// The minimum number of bytes counted for an object, because even a small object uses a block of the disk.
    private static let leastObject = 4096
    /// The maximum number of notes to pass on, more than any job has.
    private static let mostNotes = 20

    private let socket: WireSocket
    private let io: TaskIO
    private let observer: TaskObserver
    private let work: TaskSpec.Work
    private let rights: TaskPermissions
    private let outputLimit: Int64
    private let objects: OpenObjects
    private let state = Mutex(State())

    /// - Parameter work: The child's work, which decides its permissions.
    init(socket: WireSocket, io: TaskIO, observer: TaskObserver, work: TaskSpec.Work, outputLimit: Int64) {
        self.work = work
        rights = TaskPermissions(work)
        self.socket = socket
        self.io = io
        self.observer = observer
        self.outputLimit = min(outputLimit, work.outputLimit ?? outputLimit)
        objects = OpenObjects()
    }

    /// The child's final message, or nil if it ended without one.
    var ending: Ending? { state.withLock { $0.ending } }

    /// Whether a request failed with an error of this kind.
    func answered(_ kind: ClairoError.Kind) -> Bool { state.withLock { $0.errors.contains(kind) } }

    /// Whether the child has made a request, and so may have received a byte of untrusted media.
    var hasServed: Bool { state.withLock { $0.hasServed } }

    /// How long the child has been silent with no request in progress.
    var silence: Duration {
        state.withLock { $0.working > 0 ? .zero : $0.lastSign.duration(to: .now) }
    }

    /// Restarts the measurement of `silence`.
    func forgiveSilence() { state.withLock { $0.lastSign = .now } }

    /// Sends the task and serves requests until the child disconnects. Blocks. When it returns, no request is being
    /// served.
    func serve(_ start: WireMessage) {
        let queue = BoundedQueue<WireMessage>(capacity: Self.waiting)
        let answerers = (0..<Self.answerers).map { index in
            WorkerThread(name: "task-host-\(index)") { [self] in
                while let frame = queue.pop() { answer(frame) }
            }
        }
        // A child that fails at once closes its end before it has read the task. Its reason can be received all the same.
        _ = socket.send(start)
        do throws(BrokenProtocol) {
            while let frame = try socket.receive(WireLimits.fromChild) {
                if try take(frame, into: queue) { break }
            }
        } catch {
            end(.broken(error.reason))
        }
        queue.abandon()
        // Objects that the child has not completed must not appear in the store.
        objects.abandon()
        for thread in answerers { _ = thread.join() }
        objects.abandon()
    }

    private func end(_ ending: Ending) { state.withLock { $0.ending = $0.ending ?? ending } }

    /// - Returns: Whether this was the final message.
    private func take(_ frame: WireMessage, into queue: BoundedQueue<WireMessage>) throws(BrokenProtocol) -> Bool {
        switch frame.kind {
        case .request:
            forgiveSilence()
            return !queue.push(frame)
        case .progress:
            let frames = try frame.decodeHead(as: ProgressHead.self).frames
            let isProgress = state.withLock { state in
                guard frames > state.frames else { return false }
                state.frames = frames
                state.lastSign = .now
                return true
            }
            if isProgress { observer.progress(frames) }
            return false
        case .update:
            let update = try frame.decodeHead(as: JobUpdate.self)
            if case .progress(let progress) = update, !progress.isPossible {
                throw BrokenProtocol(reason: "invalid progress")
            }
            let isWanted = state.withLock { state in
                if case .note = update { state.notes += 1 }
                return state.notes <= Self.mostNotes
            }
            if isWanted { observer.update(update) }
            return false
        case .result:
            let result: TaskResult = try frame.decodeHead()
            do throws(ImpossibleResult) {
                end(.result(try result.validated(for: work)))
            } catch {
                throw BrokenProtocol(reason: "an invalid result: \(error.reason)")
            }
            return true
        case .failure:
            end(.failure(try frame.decodeHead(as: FailureHead.self).error))
            return true
        case .start, .answer:
            throw BrokenProtocol(reason: "a message of kind \(frame.kind)")
        }
    }

    private func answer(_ frame: WireMessage) {
        let request: RequestHead
        do throws(BrokenProtocol) {
            request = try frame.decodeHead()
        } catch {
            end(.broken(error.reason))
            return socket.shutDown()
        }
        state.withLock {
            $0.working += 1
            $0.hasServed = true
        }
        var head = AnswerHead()
        var payload = Data()
        do throws(ClairoError) {
            (head, payload) = try perform(request, frame.payload)
        } catch {
            head = AnswerHead(failure: FailureHead(error))
            state.withLock { _ = $0.errors.insert(error.kind) }
        }
        state.withLock {
            $0.working -= 1
            $0.lastSign = .now
        }
        if let answer = try? WireMessage(.answer, id: frame.id, head: head, payload: payload) {
            _ = socket.send(answer)
        }
    }

    private func perform(_ request: RequestHead, _ payload: Data) throws(ClairoError) -> (AnswerHead, Data) {
        guard rights.allow(request) else {
            let key = (request.key ?? request.keys?.first)?.rawValue ?? ""
            throw .defect("A task may not \(request.operation.rawValue) \(key.debugDescription)")
        }
        switch request.operation {
        case .source:
            guard let source = io.source else {
                throw .defect("A task asked for bytes of a source that it does not have")
            }
            let (offset, count) = try range(request)
            return (AnswerHead(), try source.piece(at: offset, count: count))
        case .put:
            let key = try key(request)
            try charge(max(payload.count, Self.leastObject))
            try output.put(payload, at: key)
            return (AnswerHead(), Data())
        case .beginPut:
            let key = try key(request)
            try charge(Self.leastObject)
            // The store may allocate memory by the length.
            let length = request.length.map { min(max($0, 0), outputLimit) }
            return (AnswerHead(handle: try objects.beginPut(at: key, length: length, in: output)), Data())
        case .writePut:
            try charge(payload.count)
            try objects.write(payload, to: request.handle)
            return (AnswerHead(), Data())
        case .endPut:
            try objects.endPut(request.handle)
            return (AnswerHead(), Data())
        case .abortPut:
            objects.abortPut(request.handle)
            return (AnswerHead(), Data())
        case .get:
            let key = try key(request)
            // Checks the size before reading. If the object does not exist, `get` throws.
            guard try output.info(of: key)?.size ?? 0 <= Int64(WireLimits.whole) else {
                throw .defect("\(key) is too large for a task to read it whole")
            }
            return (AnswerHead(), try output.get(key))
        case .open:
            let (handle, size) = try objects.open(key(request), in: output)
            return (AnswerHead(handle: handle, size: size), Data())
        case .read:
            let (offset, count) = try range(request)
            return (AnswerHead(), try objects.source(request.handle).piece(at: offset, count: count))
        case .close:
            objects.close(request.handle)
            return (AnswerHead(), Data())
        case .info:
            let info = try output.info(of: key(request))
            return (AnswerHead(size: info?.size, etag: info?.etag, modified: info?.modified), Data())
        case .record:
            let record = try output.record(of: key(request))
            return (AnswerHead(size: record.bytes, sha256: record.sha256), Data())
        case .delete:
            try output.delete(try (request.keys ?? []).map(Self.plain))
            return (AnswerHead(), Data())
        case .list:
            let prefix = request.prefix ?? ""
            guard prefix.isEmpty || Self.isPlain(prefix.hasSuffix("/") ? String(prefix.dropLast()) : prefix) else {
                throw .defect("A task listed the invalid prefix \(prefix.debugDescription)")
            }
            let after: ObjectKey? = try request.key == nil ? nil : key(request)
            let keys = try output.list(prefix: prefix, after: after, limit: min(max(request.count ?? 0, 0), 1000))
            return (AnswerHead(keys: keys), Data())
        }
    }

    private var output: any ObjectStore {
        get throws(ClairoError) {
            guard let output = io.output else {
                throw .defect("A task asked for an output folder that it does not have")
            }
            return output
        }
    }

    /// Counts bytes that the task is about to write.
    /// - Throws: `defect` if the task exceeds its limit. The connection is then closed.
    private func charge(_ bytes: Int) throws(ClairoError) {
        let isWithin = state.withLock { state in
            state.outputBytes += Int64(bytes)
            return state.outputBytes <= outputLimit
        }
        guard !isWithin else { return }
        let error = ClairoError.defect("A task wrote more than the limit of \(outputLimit) bytes")
        // The connection is closed, because the child would continue to send requests.
        end(.failure(error))
        socket.shutDown()
        throw error
    }

    private func key(_ request: RequestHead) throws(ClairoError) -> ObjectKey {
        try Self.plain(request.key ?? "")
    }

    private static func plain(_ key: ObjectKey) throws(ClairoError) -> ObjectKey {
        guard isPlain(key.rawValue) else {
            throw .defect("A task used the invalid object name \(key.rawValue.debugDescription)")
        }
        return key
    }

    private func range(_ request: RequestHead) throws(ClairoError) -> (Int64, Int) {
        guard let offset = request.offset, let count = request.count, offset >= 0,
            (0...WireLimits.piece).contains(count)
        else { throw .defect("A task asked for an invalid range") }
        return (offset, count)
    }

    /// Whether a name is a relative path that stays in the folder and is valid on disk. A component has at most 200 of
    /// the 255 bytes that a disk allows, because stores and attempts append to it.
    static func isPlain(_ name: String) -> Bool {
        (1...512).contains(name.utf8.count)
            && name.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F && $0 != "\\" }
            && name.split(separator: "/", omittingEmptySubsequences: false).allSatisfy {
                (1...200).contains($0.utf8.count) && $0 != "." && $0 != ".."
            }
    }
}

extension JobProgress {
    /// Whether the numbers are plausible.
    fileprivate var isPossible: Bool {
        [framesDone, framesPlanned, framesResumed].allSatisfy((0...1_000_000_000_000).contains)
            && (0...1e10).contains(mediaSeconds)
    }
}

extension ByteSource {
    /// Up to `count` bytes at `offset`, from a single read.
    fileprivate func piece(at offset: Int64, count: Int) throws(ClairoError) -> Data {
        var data = Data(count: count)
        let result = data.withUnsafeMutableBytes { bytes in
            Result { () throws(ClairoError) in try read(at: offset, into: bytes) }
        }
        data.count = min(max(try result.get(), 0), count)
        return data
    }
}
