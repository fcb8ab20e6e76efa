internal import ClairoCore

/// The database access that the store needs: transactions that run a closure over one connection, outside the
/// cooperative pool.
///
/// The SQL is written once, in the common subset of both engines; `SQLDialect` contains the differences.
///
/// A driver retries a body that met a deadlock or lost its connection, so bodies must be repeatable: they decide by
/// conditional updates, have no effects outside the database, and check `SQLConnection.mayHaveCommitted` where a second
/// run could not tell its own earlier work from another process's. Once a body runs, cancelling the caller does not
/// stop it. A caller cancelled earlier gets `ClairoError.cancelled`.
protocol SQLDriver: Sendable {
    var dialect: SQLDialect { get }

    /// Runs queries. Each sees the data committed before it; several do not share a snapshot.
    func read<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R

    /// Runs a transaction. It is committed when the body returns and rolled back when it throws.
    func write<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R

    /// Like `write`, for a body that uses queries only as hints. If the engine can, its plain queries read uncommitted
    /// data, which avoids searching older versions of rows that others are changing. Not when `mayHaveCommitted`.
    func writeByHints<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R

    /// Runs a body exclusively among processes, with any schema version. It is one transaction if the engine supports
    /// transactional DDL.
    func alone<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R

    /// Like `read`, with any schema version.
    func readAnySchema<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R

    /// Closes all connections. Later calls throw.
    func close() async
}

typealias SQLBody<R> = @Sendable (any SQLConnection) throws -> R

extension SQLDriver {
    func writeByHints<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R {
        try await write(body)
    }
}

/// A connection lent to a body for its transaction.
protocol SQLConnection {
    var dialect: SQLDialect { get }

    /// The connection broke while an earlier run of this transaction was committing, so its work may be done.
    var mayHaveCommitted: Bool { get }

    /// The database's clock, at the start of the transaction or later.
    func now() throws -> Timestamp

    /// Runs a statement without results. `?` stands for the arguments.
    /// - Returns: The number of matched rows, changed or not.
    @discardableResult
    func execute(_ sql: String, _ arguments: [SQLValue]) throws -> Int

    /// Inserts one row with an `INSERT` statement.
    /// - Returns: False if a row with its primary or unique key exists. The transaction continues.
    func insert(_ sql: String, _ arguments: [SQLValue]) throws -> Bool

    func query(_ sql: String, _ arguments: [SQLValue]) throws -> [SQLRow]

    func hasTable(_ name: String) throws -> Bool
}

extension SQLConnection {
    /// Inserts one row; see `insert(_:_:)`.
    func insert(into table: String, _ row: KeyValuePairs<String, SQLValue>) throws -> Bool {
        let columns = row.map(\.key).joined(separator: ", ")
        let places = row.map { _ in "?" }.joined(separator: ", ")
        return try insert("INSERT INTO \(table) (\(columns)) VALUES (\(places))", row.map(\.value))
    }
}
