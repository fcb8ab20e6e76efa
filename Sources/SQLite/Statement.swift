internal import CSQLite

/// A prepared statement. It must not outlive its connection.
final class Statement {
    private let database: OpaquePointer
    private let statement: OpaquePointer

    init(_ sql: String, on database: OpaquePointer) throws(SQLiteError) {
        var statement: OpaquePointer?
        var rest = ""
        let status = sql.withCString { text in
            var tail: UnsafePointer<CChar>?
            defer { rest = tail.map { String(cString: $0) } ?? "" }
            return sqlite3_prepare_v3(database, text, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, &tail)
        }
        guard status == SQLITE_OK else { throw SQLiteError(status, database) }
        guard let statement else { throw SQLiteError(code: SQLITE_MISUSE, message: "The statement is empty") }
        guard rest.allSatisfy({ $0.isWhitespace || $0 == ";" }) else {
            sqlite3_finalize(statement)
            throw SQLiteError(code: SQLITE_MISUSE, message: "Only one statement can be prepared at a time")
        }
        self.database = database
        self.statement = statement
    }

    deinit { sqlite3_finalize(statement) }

    /// Runs the statement with a value for each `?`, and reads all of its rows.
    func run(_ arguments: [Value]) throws(SQLiteError) -> QueryResult {
        // A statement holds its locks until it is reset.
        defer {
            sqlite3_reset(statement)
            sqlite3_clear_bindings(statement)
        }
        let count = Int(sqlite3_bind_parameter_count(statement))
        guard arguments.count == count else {
            throw SQLiteError(
                code: SQLITE_MISUSE, message: "The statement takes \(count) values, not \(arguments.count)")
        }
        for (index, value) in arguments.enumerated() { try bind(value, at: Int32(index + 1)) }
        var rows: [[Value]] = []
        while try step() { rows.append((0..<sqlite3_column_count(statement)).map(value)) }
        // Read the columns after the first step: only then does a statement notice a changed schema.
        let columns = (0..<sqlite3_column_count(statement)).map { index in
            sqlite3_column_name(statement, index).map { String(cString: $0) } ?? ""
        }
        return QueryResult(columns: columns, rows: rows)
    }

    /// Advances to the next row.
    /// - Returns: False after the last row.
    private func step() throws(SQLiteError) -> Bool {
        switch sqlite3_step(statement) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case let status: throw SQLiteError(status, database)
        }
    }

    private func bind(_ value: Value, at index: Int32) throws(SQLiteError) {
        let status =
            switch value {
            case .null: sqlite3_bind_null(statement, index)
            case .integer(let value): sqlite3_bind_int64(statement, index, value)
            case .real(let value): sqlite3_bind_double(statement, index, value)
            case .text(let value): clairo_sqlite3_bind_text(statement, index, value, UInt64(value.utf8.count))
            case .bytes(let value): clairo_sqlite3_bind_blob(statement, index, value, UInt64(value.count))
            }
        guard status == SQLITE_OK else { throw SQLiteError(status, database) }
    }

    private func value(_ column: Int32) -> Value {
        switch sqlite3_column_type(statement, column) {
        case SQLITE_INTEGER: return .integer(sqlite3_column_int64(statement, column))
        case SQLITE_FLOAT: return .real(sqlite3_column_double(statement, column))
        case SQLITE_TEXT:
            // The order matters: the first call converts the text, and the second returns the resulting length.
            let text = sqlite3_column_text(statement, column)
            let bytes = UnsafeBufferPointer(start: text, count: Int(sqlite3_column_bytes(statement, column)))
            return .text(String(decoding: bytes, as: UTF8.self))
        case SQLITE_BLOB:
            let blob = sqlite3_column_blob(statement, column)
            return .bytes(
                Array(UnsafeRawBufferPointer(start: blob, count: Int(sqlite3_column_bytes(statement, column)))))
        default: return .null
        }
    }
}
