internal import ClairoCore

/// The database access that the store needs: transactions that run a closure, the body, with one connection, outside
/// the cooperative pool.
///
/// The SQL is written once, in the common subset of both engines; `SQLDialect` contains the differences.
///
/// A driver retries a body that failed with a deadlock or lost its connection, so bodies must be repeatable. They
/// decide by conditional updates and have no effects outside the database. They check `SQLConnection.mayHaveCommitted`
/// where a second run could mistake the changes of the first for those of another process. Once a body has started,
/// cancelling the caller does not stop it. A caller that is cancelled earlier gets `ClairoError.cancelled`.
protocol SQLDriver: Sendable {
    var dialect: SQLDialect { get }

    /// Runs queries. Each query sees the data committed before it. The queries need not share a snapshot.
    func read<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R

    /// Runs a transaction. It is committed when the body returns and rolled back when it throws.
    func write<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R

    /// Like `write`, for a body that uses queries only as hints. If the engine supports it, its queries without locks
    /// read uncommitted data, which avoids searching older versions of rows that others are changing. When
    /// `mayHaveCommitted`, they read only committed data.
    func writeByHints<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R

    /// Runs a body, with any schema version, while no other process runs one. It is one transaction if the engine
    /// supports transactional DDL.
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

    /// Whether the connection broke while an earlier run of this transaction was committing, so that its changes may be
    /// in effect.
    var mayHaveCommitted: Bool { get }

    /// The time of the database's clock, at the start of the transaction or later.
    func now() throws -> Timestamp

    /// Runs a statement without results. Each `?` stands for an argument.
    /// - Returns: The number of matched rows, including those whose values did not change.
    @discardableResult
    func execute(_ sql: String, _ arguments: [SQLValue]) throws -> Int

    /// Inserts one row with an `INSERT` statement.
    /// - Returns: False if a row with the same primary or unique key exists. The transaction continues.
    func insert(_ sql: String, _ arguments: [SQLValue]) throws -> Bool

    func query(_ sql: String, _ arguments: [SQLValue]) throws -> [SQLRow]

    func hasTable(_ name: String) throws -> Bool

    func hasColumn(_ name: String, of table: String) throws -> Bool
}

extension SQLConnection {
    /// Inserts one row; see `insert(_:_:)`.
    func insert(into table: String, _ row: KeyValuePairs<String, SQLValue>) throws -> Bool {
        let columns = row.map(\.key).joined(separator: ", ")
        let places = row.map { _ in "?" }.joined(separator: ", ")
        return try insert("INSERT INTO \(table) (\(columns)) VALUES (\(places))", row.map(\.value))
    }
}
