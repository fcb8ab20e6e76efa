internal import ClairoCore
internal import SQLite
internal import Synchronization

/// Group commit: runs all waiting writes in one transaction. The sync at the end of a commit takes most of its time.
/// With group commit, sixteen callers wait for one or two syncs instead of sixteen. Each body has its own savepoint, so
/// a failed one rolls back only its own work. No caller is notified before the commit is durable.
final class SQLiteWriter: Sendable {
    /// One caller's body.
    struct Work: Sendable {
        /// Runs the body. Returns a closure that reports the result to the caller, given the error that ended the
        /// transaction, if any.
        fileprivate let run: @Sendable (SQLiteConnection) throws -> @Sendable ((any Error)?) -> Void
        fileprivate let fail: @Sendable (any Error) -> Void

        init<R: Sendable>(
            _ body: @escaping SQLBody<R>, _ finish: @escaping @Sendable (Result<R, any Error>) -> Void
        ) {
            run = { connection in
                let value = try body(connection)
                return { error in finish(error.map { .failure($0) } ?? .success(value)) }
            }
            fail = { finish(.failure($0)) }
        }
    }

    /// A pool with one connection, so that transactions run one after the other.
    private let pool: ConnectionPool<SQLiteWorker>
    private let clock: LeaseClock
    private let waiting = Mutex<[Work]>([])

    init(pool: ConnectionPool<SQLiteWorker>, clock: LeaseClock) {
        self.pool = pool
        self.clock = clock
    }

    func add(_ work: Work) {
        let isFirst = waiting.withLock { waiting in
            waiting.append(work)
            return waiting.count == 1
        }
        // The first caller runs the bodies of all that are waiting.
        guard isFirst else { return }
        pool.add({ self.writeAll($0) }, refuse: { error in for work in self.takeAll() { work.fail(error) } })
    }

    private func takeAll() -> [Work] {
        waiting.withLock { waiting in
            defer { waiting.removeAll() }
            return waiting
        }
    }

    private func writeAll(_ worker: SQLiteWorker) {
        let all = takeAll()
        var endings: [@Sendable ((any Error)?) -> Void] = []
        do {
            // Immediate: takes the write lock first, so that nothing changes between reads and writes.
            try worker.transaction(begin: "BEGIN IMMEDIATE") { connection in
                let lent = SQLiteConnection(connection: connection, clock: clock)
                try clock.record(lent)
                for work in all { endings.append(try Self.ending(of: work, lent)) }
            }
            for ending in endings { ending(nil) }
        } catch {
            for ending in endings { ending(error) }
            for work in all.dropFirst(endings.count) { work.fail(error) }
        }
    }

    /// Runs one body in a savepoint. Throws only if SQLite has rolled back the whole transaction, for example on a full
    /// disk.
    private static func ending(
        of work: Work, _ lent: SQLiteConnection
    ) throws -> @Sendable ((any Error)?) -> Void {
        let connection = lent.connection
        try connection.execute("SAVEPOINT work")
        do {
            let ending = try work.run(lent)
            try connection.execute("RELEASE work")
            return ending
        } catch {
            guard connection.isInTransaction else { throw error }
            try connection.execute("ROLLBACK TO work")
            try connection.execute("RELEASE work")
            return { _ in work.fail(error) }
        }
    }
}
