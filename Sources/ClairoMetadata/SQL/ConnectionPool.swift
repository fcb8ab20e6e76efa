internal import ClairoCore
internal import Foundation

/// A pool of threads with one connection each, and a shared FIFO queue of work.
///
/// A connection is used only on the thread that created it, and callers' threads never block on the database. Threads
/// start as needed, up to `limit`, and end with their connection after an idle time.
///
/// `@unchecked Sendable`: all mutable state is guarded by `condition`.
final class ConnectionPool<Worker>: @unchecked Sendable {
    private struct Work {
        var id: Int
        var run: @Sendable (Worker) -> Void
        var refuse: @Sendable (ClairoError) -> Void
    }

    private let name: String
    private let limit: Int
    private let idleSeconds: Double?
    private let onThread: @Sendable (() -> Void) -> Void
    private let makeWorker: @Sendable () -> Worker
    private let condition = NSCondition()
    private var queue: [Work] = []
    private var lastID = 0
    /// The number of threads that accept work.
    private var threads = 0
    /// The number of threads whose connection is not closed yet.
    private var connections = 0
    private var idleThreads = 0
    private var isClosed = false

    /// - Parameters:
    ///   - name: The prefix of the threads' names.
    ///   - idleSeconds: How long a thread waits for work before it ends; nil for no limit.
    ///   - onThread: Wraps the work of a thread: it must call its argument, for example after per-thread
    ///     initialization.
    ///   - makeWorker: Creates a thread's connection, or an object that connects on first use.
    init(
        name: String, limit: Int, idleSeconds: Double?,
        onThread: @escaping @Sendable (() -> Void) -> Void = { $0() }, makeWorker: @escaping @Sendable () -> Worker
    ) {
        self.name = name
        self.limit = limit
        self.idleSeconds = idleSeconds
        self.onThread = onThread
        self.makeWorker = makeWorker
    }

    /// Runs `body` on one of the threads. If the caller is cancelled while `body` is queued, `body` does not run. Once
    /// started, it runs to completion.
    func run<R: Sendable>(_ body: @escaping @Sendable (Worker) throws -> R) async throws -> R {
        let id = nextID()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let work = Work(
                    id: id, run: { worker in continuation.resume(with: Result { try body(worker) }) },
                    refuse: { continuation.resume(throwing: $0) })
                if let refusal = enqueue(work, canBeCancelled: true) { continuation.resume(throwing: refusal) }
            }
        } onCancel: {
            cancel(id)
        }
    }

    /// Adds work that cannot be cancelled. Exactly one of the two closures is called, exactly once.
    func add(_ run: @escaping @Sendable (Worker) -> Void, refuse: @escaping @Sendable (ClairoError) -> Void) {
        let work = Work(id: nextID(), run: run, refuse: refuse)
        if let refusal = enqueue(work, canBeCancelled: false) { refuse(refusal) }
    }

    /// Stops accepting work, and returns when all connections are closed.
    /// - Parameter refusesWaiting: Whether to reject queued work instead of completing it.
    func close(refusesWaiting: Bool) async {
        shut(refusesWaiting: refusesWaiting)
        await onDedicatedThread(name: "\(name)-close") { [self] in
            condition.lock()
            while connections > 0 { condition.wait() }
            condition.unlock()
        }
    }

    /// Stops accepting work, and returns at once. Idle threads end and close their connection.
    func shut(refusesWaiting: Bool) {
        condition.lock()
        isClosed = true
        let waiting = refusesWaiting ? queue : []
        if refusesWaiting { queue.removeAll() }
        condition.broadcast()
        condition.unlock()
        for work in waiting { work.refuse(Self.closed) }
    }

    private static var closed: ClairoError { .defect("The database is already closed") }

    private func nextID() -> Int {
        condition.lock()
        defer { condition.unlock() }
        lastID += 1
        return lastID
    }

    /// - Returns: The error if the work cannot be queued, or nil.
    private func enqueue(_ work: Work, canBeCancelled: Bool) -> ClairoError? {
        condition.lock()
        defer { condition.unlock() }
        if isClosed { return Self.closed }
        // If the caller was cancelled before this point, its handler found nothing to remove.
        if canBeCancelled, Task.isCancelled { return .cancelled }
        queue.append(work)
        if idleThreads >= queue.count || threads >= limit {
            condition.signal()
        } else {
            threads += 1
            connections += 1
            _ = WorkerThread(name: "\(name)-\(threads)") { [self] in
                onThread { serve(makeWorker()) }
                forgetConnection()
            }
        }
        return nil
    }

    private func cancel(_ id: Int) {
        condition.lock()
        let index = queue.firstIndex { $0.id == id }
        let work = index.map { queue.remove(at: $0) }
        condition.unlock()
        work?.refuse(.cancelled)
    }

    private func serve(_ worker: Worker) {
        while let work = next() { work.run(worker) }
    }

    /// - Returns: Nil if the thread should end.
    private func next() -> Work? {
        condition.lock()
        defer { condition.unlock() }
        let deadline = idleSeconds.map { Date(timeIntervalSinceNow: $0) }
        while queue.isEmpty, !isClosed {
            idleThreads += 1
            let wasWoken = wait(until: deadline)
            idleThreads -= 1
            if !wasWoken { break }
        }
        if !queue.isEmpty { return queue.removeFirst() }
        threads -= 1
        return nil
    }

    private func forgetConnection() {
        condition.lock()
        connections -= 1
        condition.broadcast()
        condition.unlock()
    }

    private func wait(until deadline: Date?) -> Bool {
        if let deadline { return condition.wait(until: deadline) }
        condition.wait()
        return true
    }
}
