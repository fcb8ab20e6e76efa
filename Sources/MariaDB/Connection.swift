internal import CMariaDB

/// A connection to a MariaDB or MySQL server. Statements are prepared once and cached.
///
/// A connection belongs to one thread, within one call of `ClientThread.run`. It never reconnects, because that would
/// silently lose session variables, locks and transactions.
public final class Connection {
    private let mysql: UnsafeMutablePointer<MYSQL>
    private var statements: [String: Statement] = [:]

    /// The maximum number of cached statements, well above the number that Clairo uses. Then the cache is emptied.
    private static let statementLimit = 100

    /// Connects with the character set utf8mb4.
    /// - Throws: The server's or the library's error; `CR_SSL_CONNECTION_ERROR` if TLS is required but not offered.
    public init(_ options: ConnectionOptions) throws(MariaDBError) {
        guard let mysql = mysql_init(nil) else { throw .outOfMemory }
        self.mysql = mysql
        Self.set(options, on: mysql)
        // CLIENT_FOUND_ROWS: an UPDATE reports the rows that match its condition, not the rows that it changes.
        // Otherwise, an UPDATE that changes nothing would look like one whose condition failed.
        // With the name of a host, the library ignores the socket.
        let connected = mysql_real_connect(
            mysql, options.socket == nil ? options.host : nil, options.user, options.password, options.database,
            UInt32(options.port ?? 0),
            options.socket, UInt(CLIENT_FOUND_ROWS) | UInt(CLIENT_MULTI_STATEMENTS))
        guard connected != nil else { throw MariaDBError(mysql) }
        // Check again: despite MYSQL_OPT_SSL_ENFORCE, the library connects without TLS if the server has none.
        if options.tls != .disabled, options.tls != .preferred, !isEncrypted {
            throw MariaDBError(
                code: UInt32(CR_SSL_CONNECTION_ERROR), sqlState: "HY000", message: "The server does not offer TLS")
        }
    }

    deinit {
        // Close the statements first, because they refer to the connection.
        statements.removeAll()
        mysql_close(mysql)
    }

    /// Whether the connection uses TLS.
    public var isEncrypted: Bool { mysql_get_ssl_cipher(mysql) != nil }

    /// The version of TLS, such as `TLSv1.3`; nil without TLS.
    public var tlsVersion: String? { clairo_mysql_tls_version(mysql).map { String(cString: $0) } }

    /// Whether the connection uses a Unix socket.
    public var usesSocket: Bool {
        // The library has no other public function for it than this description, such as "Localhost via UNIX socket".
        mysql_get_host_info(mysql).map { String(cString: $0).hasSuffix("UNIX socket") } ?? false
    }

    /// Runs statements without arguments, separated by `;`, in one round trip. Never build the text from untrusted
    /// input.
    /// - Returns: The first field of the last row that any of the statements returned, as text.
    @discardableResult
    public func run(_ sql: String) throws(MariaDBError) -> String? {
        try check(mysql_real_query(mysql, sql, UInt(sql.utf8.count)))
        var answer: String?
        while true {
            if let result = mysql_store_result(mysql) {
                defer { mysql_free_result(result) }
                while let row = mysql_fetch_row(result) { answer = row[0].map { String(cString: $0) } }
            } else if mysql_field_count(mysql) > 0 {
                throw MariaDBError(mysql)
            }
            // 0: another result follows; -1: no more results; above 0: an error.
            let next = mysql_next_result(mysql)
            if next < 0 { return answer }
            try check(next)
        }
    }

    /// Commits the transaction.
    public func commit() throws(MariaDBError) { try check(Int32(mysql_commit(mysql))) }

    /// Rolls back the transaction.
    public func rollback() throws(MariaDBError) { try check(Int32(mysql_rollback(mysql))) }

    /// Runs one statement with a value for each `?`, and reads the whole result.
    @discardableResult
    public func execute(_ sql: String, _ arguments: [Value] = []) throws(MariaDBError) -> StatementResult {
        do {
            return try statement(sql).execute(arguments)
        } catch {
            // Prepare the statement again next time: the server may have dropped it, or the tables may have changed.
            statements[sql] = nil
            // If the result's columns have changed since it was prepared, it has returned no rows yet. Run it again.
            guard error.code == UInt32(CR_NEW_STMT_METADATA) else { throw error }
            return try statement(sql).execute(arguments)
        }
    }

    private func statement(_ sql: String) throws(MariaDBError) -> Statement {
        if let statement = statements[sql] { return statement }
        if statements.count >= Self.statementLimit { statements.removeAll() }
        let statement = try Statement(sql, on: mysql)
        statements[sql] = statement
        return statement
    }

    private func check(_ result: Int32) throws(MariaDBError) {
        guard result == 0 else { throw MariaDBError(mysql) }
    }

    private static func set(_ options: ConnectionOptions, on mysql: UnsafeMutablePointer<MYSQL>) {
        func set(_ option: mysql_option, _ value: UInt32) {
            withUnsafePointer(to: value) { _ = mysql_options(mysql, option, $0) }
        }
        func set(_ option: mysql_option, _ value: Bool) {
            withUnsafePointer(to: my_bool(value ? 1 : 0)) { _ = mysql_options(mysql, option, $0) }
        }
        set(MYSQL_OPT_CONNECT_TIMEOUT, options.connectTimeout)
        set(MYSQL_OPT_READ_TIMEOUT, options.readTimeout)
        set(MYSQL_OPT_WRITE_TIMEOUT, options.writeTimeout)
        set(MYSQL_OPT_RECONNECT, false)
        mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4")
        // Refuse to send local files that a server requests (LOAD DATA LOCAL INFILE).
        set(MYSQL_OPT_LOCAL_INFILE, 0)
        if let file = options.optionFile { mysql_options(mysql, MYSQL_READ_DEFAULT_FILE, file) }
        mysql_options(mysql, MYSQL_READ_DEFAULT_GROUP, "client")
        if options.port != nil, options.socket == nil {
            set(MYSQL_OPT_PROTOCOL, UInt32(MYSQL_PROTOCOL_TCP.rawValue))
        }
        if let name = options.programName { _ = clairo_mysql_attribute(mysql, "program_name", name) }
        set(MYSQL_OPT_SSL_VERIFY_SERVER_CERT, options.tls.verifies)
        if options.tls != .disabled {
            set(MYSQL_OPT_SSL_ENFORCE, true)
            if let file = options.certificateAuthority { mysql_options(mysql, MYSQL_OPT_SSL_CA, file) }
        }
    }
}
