internal import ClairoCore
internal import Foundation
internal import MariaDB

/// Threads with one connection each, and a shared FIFO queue of work.
///
/// A connection stays on the thread that created it, and callers' threads never block on the server. Threads start as
/// needed, up to `limit`, and end with their connection after an idle time.
///
/// `@unchecked Sendable`: all mutable state is guarded by `condition`.
final class MySQLPool: @unchecked Sendable {
    private struct Work {
        var id: Int
        var run: @Sendable (MySQLWorker) -> Void
        var refuse: @Sendable (ClairoError) -> Void
    }

    private let options: ConnectionOptions
    private let limit: Int
    private let condition = NSCondition()
    private var queue: [Work] = []
    private var lastID = 0
    private var threads = 0
    private var idleThreads = 0
    private var isClosed = false

    /// Shorter than the server's own timeout.
    private static let idleSeconds = Double(MySQLConnection.silentSeconds) * 0.75

    init(_ options: ConnectionOptions, limit: Int) {
        self.options = options
        self.limit = limit
    }

    /// Runs `body` on one of the threads. A caller cancelled while queued leaves the queue; once started, `body` runs
    /// to completion.
    func run<R: Sendable>(_ body: @escaping @Sendable (MySQLWorker) throws -> R) async throws -> R {
        let id = nextID()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let work = Work(
                    id: id, run: { worker in continuation.resume(with: Result { try body(worker) }) },
                    refuse: { continuation.resume(throwing: $0) })
                if let refusal = enqueue(work) { continuation.resume(throwing: refusal) }
            }
        } onCancel: {
            cancel(id)
        }
    }

    /// Rejects queued work and returns when all threads have ended.
    func close() async {
        shut()
        await onDedicatedThread(name: "mysql-close") { [self] in
            condition.lock()
            while threads > 0 { condition.wait() }
            condition.unlock()
        }
    }

    private func shut() {
        condition.lock()
        isClosed = true
        let waiting = queue
        queue.removeAll()
        condition.broadcast()
        condition.unlock()
        for work in waiting { work.refuse(Self.closed) }
    }

    private static let closed = ClairoError.defect("The database is closed already")

    private func nextID() -> Int {
        condition.lock()
        defer { condition.unlock() }
        lastID += 1
        return lastID
    }

    /// - Returns: Why the work cannot be queued, or nil.
    private func enqueue(_ work: Work) -> ClairoError? {
        condition.lock()
        defer { condition.unlock() }
        if isClosed { return Self.closed }
        // If the caller was cancelled before this point, its handler found nothing to remove.
        if Task.isCancelled { return .cancelled }
        queue.append(work)
        if idleThreads >= queue.count || threads >= limit {
            condition.signal()
        } else {
            threads += 1
            let thread = Thread { [self] in ClientThread.run { serve(MySQLWorker(options)) } }
            thread.name = "mysql-\(threads)"
            thread.start()
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

    private func serve(_ worker: MySQLWorker) {
        while let work = next() { work.run(worker) }
    }

    /// - Returns: Nil if the thread should end.
    private func next() -> Work? {
        condition.lock()
        defer { condition.unlock() }
        let deadline = Date(timeIntervalSinceNow: Self.idleSeconds)
        while queue.isEmpty, !isClosed {
            idleThreads += 1
            let wasWoken = condition.wait(until: deadline)
            idleThreads -= 1
            if !wasWoken { break }
        }
        if !queue.isEmpty { return queue.removeFirst() }
        threads -= 1
        condition.broadcast()
        return nil
    }
}
