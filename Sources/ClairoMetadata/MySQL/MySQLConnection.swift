internal import ClairoCore
internal import MariaDB

/// A connection as the store wants it, during one transaction.
struct MySQLConnection: SQLConnection {
    let connection: Connection
    var mayHaveCommitted = false
    /// The server's time when the transaction began.
    private var began: Timestamp?

    init(connection: Connection, mayHaveCommitted: Bool = false) {
        self.connection = connection
        self.mayHaveCommitted = mayHaveCommitted
    }

    var dialect: SQLDialect { .mysql }

    /// After so long without a statement the server ends the session and rolls back. A client that is stopped or cut off
    /// within a transaction would otherwise keep its rows locked for hours, against all leases.
    static let silentSeconds = 20

    /// Connects and makes the session what the store's SQL relies on.
    static func open(_ options: ConnectionOptions) throws(MariaDBError) -> Connection {
        let connection = try Connection(options)
        // A value that does not fit is an error and not cut; UNIX_TIMESTAMP() below reads UTC, which has no hour twice.
        try connection.run(
            "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', "
                + "innodb_lock_wait_timeout = 10, wait_timeout = \(silentSeconds)")
        // Conditional updates decide, so no gap locks are needed, which would only make deadlocks.
        try connection.run("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        return connection
    }

    /// Begins a transaction, and asks for the time in the same round trip.
    mutating func begin(readsUncommitted: Bool) throws {
        // For this one transaction, as neither SESSION nor GLOBAL is said.
        let level = readsUncommitted ? "SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED; " : ""
        began = try time(after: level + "START TRANSACTION; ")
    }

    func now() throws -> Timestamp { try began ?? time(after: "") }

    private func time(after sql: String) throws -> Timestamp {
        let text = try connection.run(sql + "SELECT CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS SIGNED)")
        guard let microseconds = text.flatMap({ Int64($0) }) else {
            throw ClairoError.defect("The database server does not say what time it is")
        }
        return Timestamp(microseconds: microseconds)
    }

    func execute(_ sql: String, _ arguments: [SQLValue]) throws -> Int {
        try connection.execute(sql, arguments.map(Self.value)).affectedRows
    }

    func insert(_ sql: String, _ arguments: [SQLValue]) throws -> Bool {
        do {
            return try execute(sql, arguments) > 0
        } catch let error as MariaDBError where error.code == 1062 {
            // A duplicate key; InnoDB has undone this statement alone.
            return false
        }
    }

    func query(_ sql: String, _ arguments: [SQLValue]) throws -> [SQLRow] {
        let result = try connection.execute(sql, arguments.map(Self.value))
        let columns = Dictionary(result.columns.enumerated().map { ($1, $0) }) { first, _ in first }
        return try result.rows.map { SQLRow(columns: columns, values: try $0.map(Self.value)) }
    }

    func hasTable(_ name: String) throws -> Bool {
        let sql = "SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?"
        return try !query(sql, [SQLValue(name)]).isEmpty
    }

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
        case .real, .bytes: throw .defect("The database holds a value of a kind that no column of ours has")
        }
    }
}
