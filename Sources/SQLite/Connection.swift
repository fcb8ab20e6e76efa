internal import CSQLite

/// A connection to an SQLite file. Statements are prepared once and kept.
///
/// Use it from one thread at a time.
public final class Connection {
    private let database: OpaquePointer
    private var statements: [String: Statement] = [:]

    /// More than any program needs; bounds the memory.
    private static let statementLimit = 200

    /// Opens the file. Foreign keys are enforced. A name in double quotes that does not exist is an error, not a string.
    /// - Parameters:
    ///   - busyMilliseconds: How long a statement waits for another connection's lock.
    ///   - creates: Whether to create the file if it does not exist.
    public init(path: String, busyMilliseconds: Int32, creates: Bool = true) throws(SQLiteError) {
        var database: OpaquePointer?
        // Without SQLite's mutexes, because one thread at a time uses the connection.
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (creates ? SQLITE_OPEN_CREATE : 0)
        let status = sqlite3_open_v2(path, &database, flags, nil)
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
        // Statements refer to the database.
        statements.removeAll()
        sqlite3_close_v2(database)
    }

    /// Whether a transaction is open. SQLite may roll one back on its own, for example on a full disk.
    public var isInTransaction: Bool { sqlite3_get_autocommit(database) == 0 }

    /// Runs one statement with a value for each `?`.
    /// - Returns: The number of rows that an `INSERT`, `UPDATE` or `DELETE` changed.
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
