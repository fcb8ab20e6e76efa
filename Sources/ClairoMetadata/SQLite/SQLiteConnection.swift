internal import ClairoCore
internal import SQLite

/// An SQLite connection during one transaction.
struct SQLiteConnection: SQLConnection {
    let connection: Connection
    let clock: LeaseClock

    var dialect: SQLDialect { .sqlite }

    /// Always false: if a commit fails, nothing was committed.
    var mayHaveCommitted: Bool { false }

    var transport: DatabaseTransport { .local }

    /// All processes that use the file share this machine's clock. SQLite's own clock has only millisecond resolution.
    func now() throws -> Timestamp { clock.wall }

    func leaseTime() throws -> Timestamp { clock.now }

    func execute(_ sql: String, _ arguments: [SQLValue]) throws -> Int {
        try connection.execute(sql, arguments.map(Self.value))
    }

    func insert(_ sql: String, _ arguments: [SQLValue]) throws -> Bool {
        do {
            return try execute(sql, arguments) > 0
        } catch let error as SQLiteError where error.kind == .duplicateKey {
            return false
        }
    }

    func query(_ sql: String, _ arguments: [SQLValue]) throws -> [SQLRow] {
        let result = try connection.query(sql, arguments.map(Self.value))
        return try SQLRow.rows(result.rows, columns: result.columns, value: Self.value)
    }

    func hasTable(_ name: String) throws -> Bool {
        try !query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", [SQLValue(name)]).isEmpty
    }

    func hasColumn(_ name: String, of table: String) throws -> Bool {
        // Unlike table_info, table_xinfo lists generated columns.
        try !query("SELECT 1 FROM pragma_table_xinfo(?) WHERE name = ?", [SQLValue(table), SQLValue(name)]).isEmpty
    }

    func hasIndex(_ name: String, of table: String) throws -> Bool {
        let sql = "SELECT 1 FROM sqlite_master WHERE type = 'index' AND name = ? AND tbl_name = ?"
        return try !query(sql, [SQLValue(name), SQLValue(table)]).isEmpty
    }

    /// The migration is one transaction, so no other process changes the schema meanwhile.
    func migrate(_ sql: String) throws { _ = try execute(sql, []) }

    private static func value(_ value: SQLValue) -> Value {
        switch value {
        case .null: .null
        case .integer(let integer): .integer(integer)
        case .text(let text): .text(text)
        }
    }

    private static func value(_ value: Value) throws(ClairoError) -> SQLValue {
        switch value {
        case .null: .null
        case .integer(let integer): .integer(integer)
        case .text(let text): .text(text)
        case .real, .bytes: throw .defect("The database returned a value of a type that no column of Clairo has")
        }
    }
}
