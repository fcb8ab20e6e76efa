internal import CMariaDB

/// A prepared statement. It must not outlive its connection.
final class Statement {
    private let statement: UnsafeMutablePointer<MYSQL_STMT>

    init(_ sql: String, on mysql: UnsafeMutablePointer<MYSQL>) throws(MariaDBError) {
        guard let statement = mysql_stmt_init(mysql) else { throw .outOfMemory }
        self.statement = statement
        try check(mysql_stmt_prepare(statement, sql, UInt(sql.utf8.count)))
    }

    deinit { mysql_stmt_close(statement) }

    func execute(_ arguments: [Value]) throws(MariaDBError) -> StatementResult {
        let count = Int(mysql_stmt_param_count(statement))
        guard arguments.count == count else {
            throw MariaDBError(
                code: UInt32(CR_PARAMS_NOT_BOUND), sqlState: "HY000",
                message: "The statement takes \(count) values, not \(arguments.count)")
        }
        let parameters = Binds(arguments)
        if count > 0 { try check(Int32(mysql_stmt_bind_param(statement, parameters.pointer))) }
        // Keep the bound values alive: the library reads them during this call.
        let result = withExtendedLifetime(parameters) { mysql_stmt_execute(statement) }
        try check(result)
        guard mysql_stmt_field_count(statement) > 0 else {
            return StatementResult(
                affectedRows: Int(clamping: mysql_stmt_affected_rows(statement)), columns: [], rows: [])
        }
        // Until the result is freed, the connection accepts no other statement.
        defer { mysql_stmt_free_result(statement) }
        return try readRows()
    }

    private func readRows() throws(MariaDBError) -> StatementResult {
        guard let metadata = mysql_stmt_result_metadata(statement) else { throw MariaDBError(statement) }
        defer { mysql_free_result(metadata) }
        let count = Int(mysql_num_fields(metadata))
        let fields = UnsafeBufferPointer(start: mysql_fetch_fields(metadata), count: count)
        let columns = Binds(fields)
        try check(Int32(mysql_stmt_bind_result(statement, columns.pointer)))
        // Buffer the whole result, so that the connection is free for the next statement.
        try check(mysql_stmt_store_result(statement))
        var rows: [[Value]] = []
        while try fetch() {
            var row: [Value] = []
            row.reserveCapacity(count)
            for index in 0..<count { row.append(try value(index, of: columns)) }
            rows.append(row)
        }
        return StatementResult(
            affectedRows: rows.count, columns: fields.map { String(cString: $0.name) }, rows: rows)
    }

    /// Fetches the next row.
    /// - Returns: False after the last row.
    private func fetch() throws(MariaDBError) -> Bool {
        switch mysql_stmt_fetch(statement) {
        // Columns of text and blobs have no buffer, so truncation is expected.
        case 0, MYSQL_DATA_TRUNCATED: return true
        case MYSQL_NO_DATA: return false
        default: throw MariaDBError(statement)
        }
    }

    private func value(_ index: Int, of columns: Binds) throws(MariaDBError) -> Value {
        if columns.isNull(index) { return .null }
        switch columns.kind(index) {
        case .integer: return .integer(columns.integer(index))
        case .real: return .real(columns.real(index))
        case .text: return .text(String(decoding: try bytes(index, of: columns), as: UTF8.self))
        case .bytes: return .bytes(try bytes(index, of: columns))
        }
    }

    /// Fetches a text or a blob of the current row, whose length is now known.
    private func bytes(_ index: Int, of columns: Binds) throws(MariaDBError) -> [UInt8] {
        let length = columns.length(index)
        if length == 0 { return [] }
        var status: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
            status = columns.withBuffer(index, buffer) { mysql_stmt_fetch_column(statement, $0, UInt32(index), 0) }
            count = status == 0 ? length : 0
        }
        try check(status)
        return bytes
    }

    private func check(_ result: Int32) throws(MariaDBError) {
        guard result == 0 else { throw MariaDBError(statement) }
    }
}
