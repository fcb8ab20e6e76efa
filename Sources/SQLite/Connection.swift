internal import CSQLite

/// A connection to an SQLite database file. Statements are prepared once and cached.
///
/// Only one thread at a time may use a connection.
public final class Connection {
    private let database: OpaquePointer
    private var statements: [String: Statement] = [:]

    /// The maximum number of cached statements, well above the number that Clairo uses. Then the cache is emptied.
    private static let statementLimit = 200

    /// Opens the file whose path is UTF-8; see `init(path:)` with bytes.
    public convenience init(path: String, busyMilliseconds: Int32, creates: Bool = true) throws(SQLiteError) {
        try self.init(path: Array(path.utf8), busyMilliseconds: busyMilliseconds, creates: creates)
    }

    /// Opens the file. Foreign keys are enforced. An unknown name in double quotes is an error; by default, SQLite
    /// would take it for a string.
    /// - Parameters:
    ///   - path: The bytes of the path, without a NUL.
    ///   - busyMilliseconds: Milliseconds that a statement waits for another connection's lock.
    ///   - creates: Whether to create the file if it does not exist.
    /// - Throws: An error such as `cannotOpen` if the file cannot be opened.
    public init(path: [UInt8], busyMilliseconds: Int32, creates: Bool = true) throws(SQLiteError) {
        var database: OpaquePointer?
        // SQLite's mutexes are not needed, because only one thread at a time uses the connection.
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (creates ? SQLITE_OPEN_CREATE : 0)
        let status = sqlite3_open_v2(path.map { CChar(bitPattern: $0) } + [0], &database, flags, nil)
        guard status == SQLITE_OK, let database else {
            let error = SQLiteError(status, database)
            sqlite3_close_v2(database)
            throw error
        }
        self.database = database
        sqlite3_extended_result_codes(database, 1)
        clairo_sqlite3_forbid_quoted_strings(database)
        sqlite3_busy_timeout(database, busyMilliseconds)
        try execute("PRAGMA foreign_keys = ON")
    }

    deinit {
        // Finalize the statements first, because they refer to the database.
        statements.removeAll()
        sqlite3_close_v2(database)
    }

    /// Whether a transaction is open. SQLite may roll back a transaction on its own, for example if the disk is full.
    public var isInTransaction: Bool { sqlite3_get_autocommit(database) == 0 }

    /// Runs one statement with a value for each `?`.
    /// - Returns: The number of rows that an `INSERT`, `UPDATE` or `DELETE` changed. Meaningless for other statements.
    @discardableResult
    public func execute(_ sql: String, _ arguments: [Value] = []) throws(SQLiteError) -> Int {
        _ = try statement(sql).run(arguments)
        return Int(sqlite3_changes(database))
    }

    /// Runs one query with a value for each `?` and reads its whole result.
    public func query(_ sql: String, _ arguments: [Value] = []) throws(SQLiteError) -> QueryResult {
        try statement(sql).run(arguments)
    }

    private func statement(_ sql: String) throws(SQLiteError) -> Statement {
        if let statement = statements[sql] { return statement }
        if statements.count >= Self.statementLimit { statements.removeAll() }
        let statement = try Statement(sql, on: database)
        statements[sql] = statement
        return statement
    }
}
