internal import ClairoCore
internal import GRDB

/// A GRDB database as a connection of the store.
struct SQLiteConnection: SQLConnection {
    let db: Database

    var dialect: SQLDialect { .sqlite }

    /// A failed commit has not happened.
    var mayHaveCommitted: Bool { false }

    /// All processes that use the file share this machine's clock. SQLite's own clock has only millisecond resolution.
    func now() throws -> Timestamp { .now }

    func execute(_ sql: String, _ arguments: [SQLValue]) throws -> Int {
        let statement = try prepare(sql, arguments)
        try statement.execute()
        return db.changesCount
    }

    func insert(_ sql: String, _ arguments: [SQLValue]) throws -> Bool {
        do {
            return try execute(sql, arguments) > 0
        } catch let error as DatabaseError
            where [.SQLITE_CONSTRAINT_PRIMARYKEY, .SQLITE_CONSTRAINT_UNIQUE].contains(error.extendedResultCode)
        {
            return false
        }
    }

    func query(_ sql: String, _ arguments: [SQLValue]) throws -> [SQLRow] {
        let statement = try prepare(sql, arguments)
        let columns = Dictionary(statement.columnNames.enumerated().map { ($1, $0) }) { first, _ in first }
        var rows: [SQLRow] = []
        let cursor = try Row.fetchCursor(statement)
        while let row = try cursor.next() {
            rows.append(SQLRow(columns: columns, values: try row.databaseValues.map(Self.value)))
        }
        return rows
    }

    func hasTable(_ name: String) throws -> Bool {
        try !query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", [SQLValue(name)]).isEmpty
    }

    private func prepare(_ sql: String, _ arguments: [SQLValue]) throws -> Statement {
        let statement = try db.cachedStatement(sql: sql)
        statement.arguments = StatementArguments(
            arguments.map { argument in
                switch argument {
                case .null: DatabaseValue.null
                case .integer(let value): value.databaseValue
                case .text(let value): value.databaseValue
                }
            })
        return statement
    }

    private static func value(_ value: DatabaseValue) throws(ClairoError) -> SQLValue {
        switch value.storage {
        case .null: .null
        case .int64(let integer): .integer(integer)
        case .string(let text): .text(text)
        case .double, .blob: throw .defect("The database holds a value of a kind that no column of ours has")
        }
    }
}
