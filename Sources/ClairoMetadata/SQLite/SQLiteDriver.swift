internal import ClairoCore
internal import Dispatch
internal import Foundation
internal import GRDB

/// A driver for SQLite on GRDB: one writer and several readers, each on its own queue, in WAL mode with full sync.
///
/// Opening creates the file, its folder and its tables. Several processes may do so at once.
struct SQLiteDriver: SQLDriver {
    let dialect = SQLDialect.sqlite
    private let path: String
    private let pool: DatabasePool
    private let writer: SQLiteWriter

    /// How long a transaction waits for another process's.
    private static let busySeconds = 60.0

    static func open(path: String, updatesSchema: Bool) async throws(ClairoError) -> SQLiteDriver {
        do {
            return try await onDedicatedThread(name: "sqlite-open") {
                try SQLiteDriver(path: path, updatesSchema: updatesSchema)
            }
        } catch {
            throw SQLiteFailure.clairoError(error, path: path)
        }
    }

    private init(path: String, updatesSchema: Bool) throws {
        self.path = path
        try Self.prepareFolder(of: path)
        let deadline = DispatchTime.now() + Self.busySeconds
        var pool: DatabasePool?
        // Changing to WAL mode needs exclusive access and does not use the busy timeout.
        while pool == nil {
            do {
                pool = try DatabasePool(path: path, configuration: Self.configuration())
            } catch let error as DatabaseError
                where error.resultCode == .SQLITE_BUSY && DispatchTime.now() < deadline
            {
                Thread.sleep(forTimeInterval: .random(in: 0.005...0.05))
            }
        }
        guard let pool else { throw ClairoError.defect("No SQLite pool was opened") }
        self.pool = pool
        writer = SQLiteWriter(pool: pool)
        // In WAL mode GRDB does not sync each commit. Here commits must survive a power failure.
        try pool.writeWithoutTransaction { db in try db.execute(sql: "PRAGMA synchronous = FULL") }
        guard updatesSchema else { return }
        if try pool.read({ try Migration.recordedVersion(SQLiteConnection(db: $0)) }) != Migration.programVersion {
            try pool.writeWithoutTransaction { db in
                try db.inTransaction(.immediate) {
                    _ = try Migration.apply(SQLiteConnection(db: db))
                    return .commit
                }
            }
        }
    }

    private static func configuration() -> Configuration {
        var configuration = Configuration()
        configuration.label = "clairo.sqlite"
        configuration.foreignKeysEnabled = true
        configuration.busyMode = .timeout(busySeconds)
        return configuration
    }

    /// SQLite only reports that it cannot open a file, so ask the system for the reason.
    private static func prepareFolder(of path: String) throws {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw SQLiteFailure.cannotOpen(path, errno: (error as NSError).posixCode ?? ENOTDIR)
        }
        let target = access(path, F_OK) == 0 ? path : folder
        if access(target, R_OK | W_OK) != 0 { throw SQLiteFailure.cannotOpen(path, errno: errno) }
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
            throw SQLiteFailure.cannotOpen(path, errno: EISDIR)
        }
    }

    func read<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R {
        try await run { finish in
            pool.asyncRead { db in
                finish(Result { try body(SQLiteConnection(db: try db.get())) })
            }
        }
    }

    func write<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R {
        try await run { finish in writer.add(SQLiteWriter.Work(body, finish)) }
    }

    func alone<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R { try await write(body) }

    func readAnySchema<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R {
        try await read(body)
    }

    func close() async {
        let pool = pool
        // GRDB waits for running transactions.
        _ = try? await onDedicatedThread(name: "sqlite-close") { try pool.close() }
    }

    /// Runs work on GRDB's queues. GRDB's own async calls would abort a transaction when the caller is cancelled.
    private func run<R: Sendable>(
        _ start: (@escaping @Sendable (Result<R, any Error>) -> Void) -> Void
    ) async throws(ClairoError) -> R {
        if Task.isCancelled { throw .cancelled }
        do {
            return try await withCheckedThrowingContinuation { continuation in
                start { continuation.resume(with: $0) }
            }
        } catch {
            throw SQLiteFailure.clairoError(error, path: path)
        }
    }
}

extension NSError {
    fileprivate var posixCode: Int32? {
        if domain == NSPOSIXErrorDomain { return Int32(code) }
        return (userInfo[NSUnderlyingErrorKey] as? NSError)?.posixCode
    }
}
