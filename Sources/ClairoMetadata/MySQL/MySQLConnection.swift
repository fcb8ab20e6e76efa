internal import ClairoCore
internal import MariaDB

/// A MySQL connection that is lent to a body.
struct MySQLConnection: SQLConnection {
    let connection: Connection
    private let clock: ServerClock
    private let verifiesCertificate: Bool
    let mayHaveCommitted: Bool

    init(_ connection: Connection, _ clock: ServerClock, verifiesCertificate: Bool, mayHaveCommitted: Bool = false) {
        self.connection = connection
        self.clock = clock
        self.verifiesCertificate = verifiesCertificate
        self.mayHaveCommitted = mayHaveCommitted
    }

    var dialect: SQLDialect { .mysql }

    /// Seconds without a statement after which the server ends the session and rolls back. With a longer timeout, a
    /// client that is suspended or cut off within a transaction would keep rows locked for hours, regardless of leases.
    static let silentSeconds = 20

    /// Connects and sets the session variables that the store's SQL relies on.
    static func open(_ options: ConnectionOptions) throws(MariaDBError) -> Connection {
        let connection = try Connection(options)
        // Each statement outside a transaction commits by itself, whatever the server's default. Strict mode rejects
        // values that do not fit instead of truncating them. The time zone is UTC, because UNIX_TIMESTAMP() below would
        // be ambiguous in a time zone with daylight saving time.
        try connection.run(
            "SET SESSION autocommit = 1, sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', "
                + "time_zone = '+00:00', innodb_lock_wait_timeout = 10, wait_timeout = \(silentSeconds)")
        // READ COMMITTED takes no gap locks. Conditional updates do not need them, and they would cause deadlocks.
        try connection.run("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        return connection
    }

    var transport: DatabaseTransport {
        if let version = connection.tlsVersion {
            return .encrypted(version: version, verifiesCertificate: verifiesCertificate)
        }
        return connection.usesSocket ? .socket : .plain
    }

    func now() throws -> Timestamp {
        try clock.now {
            let text = try connection.run("SELECT CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS SIGNED)")
            guard let microseconds = text.flatMap({ Int64($0) }) else {
                throw ClairoError.defect("The database server did not return its time")
            }
            return Timestamp(microseconds: microseconds)
        }
    }

    func leaseTime() throws -> Timestamp { try now() }

    func execute(_ sql: String, _ arguments: [SQLValue]) throws -> Int {
        try connection.execute(sql, arguments.map(Self.value)).affectedRows
    }

    func insert(_ sql: String, _ arguments: [SQLValue]) throws -> Bool {
        do {
            return try execute(sql, arguments) > 0
        } catch let error as MariaDBError where error.code == 1062 {
            // 1062: duplicate key. InnoDB has rolled back this statement only.
            return false
        }
    }

    func query(_ sql: String, _ arguments: [SQLValue]) throws -> [SQLRow] {
        let result = try connection.execute(sql, arguments.map(Self.value))
        return try SQLRow.rows(result.rows, columns: result.columns, value: Self.value)
    }

    func hasTable(_ name: String) throws -> Bool {
        let sql = "SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?"
        return try !query(sql, [SQLValue(name)]).isEmpty
    }

    func hasColumn(_ name: String, of table: String) throws -> Bool {
        let sql = """
            SELECT 1 FROM information_schema.columns
            WHERE table_schema = DATABASE() AND table_name = ? AND column_name = ?
            """
        return try !query(sql, [SQLValue(table), SQLValue(name)]).isEmpty
    }

    func hasIndex(_ name: String, of table: String) throws -> Bool {
        let sql = """
            SELECT 1 FROM information_schema.statistics
            WHERE table_schema = DATABASE() AND table_name = ? AND index_name = ? LIMIT 1
            """
        return try !query(sql, [SQLValue(table), SQLValue(name)]).isEmpty
    }

    /// On Galera, the lock of a migration holds on one node only, so a process at another node may have made the change
    /// since this one looked: 1050 the table exists, 1060 the column exists, 1061 the index exists, 1091 the index does
    /// not exist.
    func migrate(_ sql: String) throws {
        do {
            try connection.execute(sql)
        } catch {
            guard [1050, 1060, 1061, 1091].contains(error.code) else { throw error }
        }
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
        case .real, .bytes: throw .defect("The database returned a value of a type that no column of Clairo has")
        }
    }
}
