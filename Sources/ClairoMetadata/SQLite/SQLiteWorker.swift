internal import ClairoCore
internal import SQLite

/// One thread's connection to the file, opened on first use.
final class SQLiteWorker {
    private let path: String
    private let isReader: Bool
    private var connection: Connection?

    /// How long a statement waits for another process's lock, in seconds.
    static let busySeconds = 60

    init(path: String, isReader: Bool) {
        self.path = path
        self.isReader = isReader
    }

    func open() throws(SQLiteError) -> Connection {
        if let connection { return connection }
        let connection = try Connection(
            path: SystemText.bytes(path), busyMilliseconds: Int32(Self.busySeconds * 1000), creates: !isReader)
        if isReader {
            try connection.execute("PRAGMA query_only = ON")
        } else {
            try Self.useWriteAheadLog(connection)
        }
        self.connection = connection
        return connection
    }

    /// Sets WAL mode, which is stored in the file, so that readers and the writer do not block each other. Commits must
    /// survive a power failure, so they use full sync.
    private static func useWriteAheadLog(_ connection: Connection) throws(SQLiteError) {
        let mode = try connection.query("PRAGMA journal_mode = WAL").rows.first?.first
        guard mode == .text("wal") else {
            throw SQLiteError(code: 14, message: "The file cannot be switched to WAL mode")
        }
        try connection.execute("PRAGMA synchronous = FULL")
    }

    /// Runs `body` in a transaction started by `begin`. It commits if `body` returns and rolls back if it throws.
    func transaction<R>(begin: String, _ body: (Connection) throws -> R) throws -> R {
        let connection = try open()
        try connection.execute(begin)
        do {
            let value = try body(connection)
            try connection.execute("COMMIT")
            return value
        } catch {
            // SQLite may have rolled back already.
            if connection.isInTransaction {
                // Closing the connection rolls back too.
                do { try connection.execute("ROLLBACK") } catch { self.connection = nil }
            }
            throw error
        }
    }
}
