internal import ClairoCore
internal import Foundation
internal import MariaDB
internal import Synchronization

/// A driver for MySQL and MariaDB with a connection pool.
///
/// A transaction that failed with a deadlock is retried after a short random delay. One that lost its connection is
/// retried until the server is back, for up to `reconnectSeconds`. If the connection broke during the commit,
/// `mayHaveCommitted` is true in the retried body.
final class MySQLDriver: SQLDriver {
    let dialect = SQLDialect.mysql
    private let settings: MySQLSettings
    private let pool: ConnectionPool<MySQLWorker>
    /// Whether a connection has succeeded. Before that, an unreachable server is taken for a wrong setting; afterwards,
    /// for a restart.
    private let hasConnected = Mutex(false)
    private let clock = ServerClock()

    private static let reconnectSeconds = 30.0
    private static let deadlockTries = 20
    /// How long a statement of a migration waits for the metadata lock of a table. While it waits, all other statements
    /// about the table wait behind it. The server's default is a day (MariaDB) or a year (MySQL).
    private let tableLockSeconds: Int

    init(_ settings: MySQLSettings, connections: Int = 16, tableLockSeconds: Int = 60) {
        self.settings = settings
        self.tableLockSeconds = tableLockSeconds
        // Idle threads end before the server would close their session.
        pool = ConnectionPool(
            name: "mysql", limit: connections, idleSeconds: Double(MySQLConnection.silentSeconds) * 0.75,
            onThread: { body in ClientThread.run { body() } },
            makeWorker: { [clock] in MySQLWorker(settings.options, clock) })
    }

    func read<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R { try await run(.read, body) }

    func write<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R { try await run(.write, body) }

    func look<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R { try await run(.look, body) }

    func writeEach<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R {
        try await run(.writeEach, body)
    }

    func readAnySchema<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R {
        try await run(.readAnySchema, body)
    }

    /// Uses a connection without a statement timeout, because a migration of a large table takes long, and another one
    /// that holds the lock meanwhile.
    func alone<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R {
        var options = settings.options
        options.readTimeout = 0
        do {
            return try await onDedicatedThread(name: "mysql-migrate") { [options, clock, tableLockSeconds] in
                try ClientThread.run {
                    let lock = try MigrationLock.acquire(options)
                    defer { lock.release() }
                    let connection = try MySQLConnection.open(options)
                    try connection.run("SET SESSION lock_wait_timeout = \(tableLockSeconds)")
                    do {
                        return try body(
                            MySQLConnection(connection, clock, verifiesCertificate: options.tls.verifies))
                    } catch let error as MariaDBError where error.code == 1205 {
                        throw ClairoError.temporary(
                            "The migration waited \(tableLockSeconds) s for a table that others use: \(error.message)",
                            advice: "End the transactions and backups that use the tables of Clairo (SHOW PROCESSLIST "
                                + "lists them), then run clairo migrate again; it continues.")
                    }
                }
            }
        } catch {
            throw MySQLFailure.clairoError(error, name: settings.name)
        }
    }

    func close() async { await pool.close(refusesWaiting: true) }

    private func run<R: Sendable>(_ kind: MySQLWorker.Kind, _ body: @escaping SQLBody<R>) async throws(ClairoError) -> R
    {
        var mayHaveCommitted = false
        var failures = 0
        var lostSince: ContinuousClock.Instant?
        while true {
            let failure: MariaDBError
            do {
                return try await pool.run { [mayHaveCommitted] worker in
                    try worker.run(
                        kind, mayHaveCommitted: mayHaveCommitted,
                        onConnect: { self.hasConnected.withLock { $0 = true } }, body)
                }
            } catch let error as MySQLWorker.CommitLost {
                mayHaveCommitted = true
                failure = error.error
            } catch let error as MariaDBError {
                failure = error
            } catch {
                throw MySQLFailure.clairoError(error, name: settings.name)
            }
            failures += 1
            let isWorthIt: Bool
            switch MySQLFailure.cure(failure) {
            case .runAgain: isWorthIt = failures < Self.deadlockTries
            case .reconnect:
                let since = lostSince ?? .now
                lostSince = since
                isWorthIt = hasConnected.withLock { $0 } && since.duration(to: .now) < .seconds(Self.reconnectSeconds)
            case .none: isWorthIt = false
            }
            guard isWorthIt else { throw MySQLFailure.clairoError(failure, name: settings.name) }
            try await pause(afterFailures: failures)
        }
    }

    /// Sleeps for a random time of up to 20 ms, doubling with each failure up to 1 s, so that conflicting transactions
    /// do not run at the same time again.
    private func pause(afterFailures failures: Int) async throws(ClairoError) {
        let longest = min(1, 0.01 * Double(1 << min(failures, 10)))
        do {
            try await Task.sleep(for: .seconds(.random(in: 0.001...longest)))
        } catch { throw .cancelled }
    }
}
