internal import ClairoCore
internal import Dispatch
internal import Foundation
internal import SQLite

/// A driver for SQLite: one writer and several readers, each on its own thread, in WAL mode with full sync.
///
/// Opening creates the file, its folder and its tables. Several processes may do so at once.
final class SQLiteDriver: SQLDriver {
    let dialect = SQLDialect.sqlite
    private let path: String
    private let readers: ConnectionPool<SQLiteWorker>
    private let writers: ConnectionPool<SQLiteWorker>
    private let writer: SQLiteWriter
    private let clock: LeaseClock

    private static let readerLimit = 5

    static func open(
        path: String, updatesSchema: Bool, machine: MachineClock = MachineClock()
    ) async throws(ClairoError) -> SQLiteDriver {
        let driver = SQLiteDriver(path, LeaseClock(machine))
        do {
            try await driver.writers.run { [clock = driver.clock] in
                try prepare($0, path, clock, updatesSchema: updatesSchema)
            }
        } catch {
            await driver.close()
            throw SQLiteFailure.clairoError(error, path: path)
        }
        return driver
    }

    private init(_ path: String, _ clock: LeaseClock) {
        self.path = path
        self.clock = clock
        readers = ConnectionPool(name: "sqlite-read", limit: Self.readerLimit, idleSeconds: nil) {
            SQLiteWorker(path: path, isReader: true)
        }
        writers = ConnectionPool(name: "sqlite-write", limit: 1, idleSeconds: nil) {
            SQLiteWorker(path: path, isReader: false)
        }
        writer = SQLiteWriter(pool: writers, clock: clock)
    }

    deinit {
        // If the driver was never closed, idle threads still retain their connection and the pool.
        readers.shut(refusesWaiting: false)
        writers.shut(refusesWaiting: false)
    }

    private static func prepare(
        _ worker: SQLiteWorker, _ path: String, _ clock: LeaseClock, updatesSchema: Bool
    ) throws {
        try prepareFolder(of: path)
        let connection = SQLiteConnection(connection: try open(worker), clock: clock)
        if updatesSchema, try Migration.recordedVersion(connection) != Migration.programVersion {
            try worker.transaction(begin: "BEGIN IMMEDIATE") { _ in _ = try Migration.apply(connection) }
        }
        if try !clock.load(connection), updatesSchema {
            try worker.transaction(begin: "BEGIN IMMEDIATE") { _ in try clock.establish(connection) }
        }
    }

    /// Opens the connection, with retries: changing to WAL mode needs exclusive access and ignores the busy timeout.
    private static func open(_ worker: SQLiteWorker) throws(SQLiteError) -> Connection {
        let deadline = DispatchTime.now() + Double(SQLiteWorker.busySeconds)
        while true {
            do {
                return try worker.open()
            } catch {
                guard error.kind == .busy, DispatchTime.now() < deadline else { throw error }
            }
            Thread.sleep(forTimeInterval: .random(in: 0.005...0.05))
        }
    }

    /// Creates the folder and checks the permissions, because SQLite reports only that it cannot open a file, without
    /// the reason.
    private static func prepareFolder(of path: String) throws {
        let folder = (SystemFile.absolute(path) as NSString).deletingLastPathComponent
        if !SystemFile.makeFolder(folder) { throw SQLiteFailure.cannotOpen(path, errno: errno) }
        let target = SystemFile.exists(path) ? path : folder
        if SystemText.withCString(target, { access($0, R_OK | W_OK) }) != 0 {
            throw SQLiteFailure.cannotOpen(path, errno: errno)
        }
        if SystemFile.isFolder(path) { throw SQLiteFailure.cannotOpen(path, errno: EISDIR) }
    }

    func read<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R {
        do {
            return try await readers.run { [clock] worker in
                try worker.transaction(begin: "BEGIN") { try body(SQLiteConnection(connection: $0, clock: clock)) }
            }
        } catch {
            throw SQLiteFailure.clairoError(error, path: path)
        }
    }

    func write<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R {
        if Task.isCancelled { throw .cancelled }
        do {
            return try await withCheckedThrowingContinuation { continuation in
                writer.add(SQLiteWriter.Work(body) { continuation.resume(with: $0) })
            }
        } catch {
            throw SQLiteFailure.clairoError(error, path: path)
        }
    }

    /// Reads what is committed, without waiting for the writer.
    func look<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R { try await read(body) }

    func writeEach<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R { try await write(body) }

    func alone<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R { try await write(body) }

    func readAnySchema<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R {
        try await read(body)
    }

    /// Completes queued work first. The writer closes last, which merges the write-ahead log into the file and deletes
    /// it.
    func close() async {
        await readers.close(refusesWaiting: false)
        await writers.close(refusesWaiting: false)
    }
}
