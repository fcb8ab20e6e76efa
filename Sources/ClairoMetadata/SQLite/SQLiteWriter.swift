internal import ClairoCore
internal import GRDB
internal import Synchronization

/// Group commit: runs all waiting writes in one transaction. The time of a write is dominated by the sync at its end,
/// so sixteen callers wait for one or two syncs instead of sixteen. Each body has its own savepoint, so a failed one
/// rolls back only its own work. No caller is notified before the commit is durable.
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

    private let pool: DatabasePool
    private let waiting = Mutex<[Work]>([])

    init(pool: DatabasePool) { self.pool = pool }

    func add(_ work: Work) {
        let isFirst = waiting.withLock { waiting in
            waiting.append(work)
            return waiting.count == 1
        }
        // The first caller runs the bodies of all that are waiting.
        if isFirst { pool.asyncWriteWithoutTransaction { self.writeAll($0) } }
    }

    private func writeAll(_ db: Database) {
        let all = waiting.withLock { waiting in
            defer { waiting.removeAll() }
            return waiting
        }
        var endings: [@Sendable ((any Error)?) -> Void] = []
        do {
            // Immediate, so that nothing changes between reads and writes.
            try db.inTransaction(.immediate) {
                for work in all { endings.append(try Self.ending(of: work, db)) }
                return .commit
            }
            for ending in endings { ending(nil) }
        } catch {
            for ending in endings { ending(error) }
            for work in all.dropFirst(endings.count) { work.fail(error) }
        }
    }

    /// Runs one body in a savepoint. Throws only if SQLite has rolled back the whole transaction, for example on a full
    /// disk.
    private static func ending(of work: Work, _ db: Database) throws -> @Sendable ((any Error)?) -> Void {
        var ending: @Sendable ((any Error)?) -> Void = { _ in }
        do {
            try db.inSavepoint {
                ending = try work.run(SQLiteConnection(db: db))
                return .commit
            }
        } catch {
            guard db.isInsideTransaction else { throw error }
            ending = { _ in work.fail(error) }
        }
        return ending
    }
}
