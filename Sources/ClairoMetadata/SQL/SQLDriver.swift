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

    /// Runs one query whose result is only a hint for a conditional update, without locks. It may see uncommitted data.
    func look<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R

    /// Runs a transaction. It is committed when the body returns and rolled back when it throws.
    func write<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R

    /// Like `write`, for a body whose statements need not share a transaction. If the engine supports it, each commits
    /// by itself, without statements to begin and to commit. A body that throws may leave earlier changes.
    func writeEach<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R

    /// Runs a body, with any schema version, while no other process runs one. It is one transaction if the engine
    /// supports transactional DDL.
    func alone<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R

    /// Like `read`, with any schema version.
    func readAnySchema<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R

    /// Closes all connections. Later calls throw.
    func close() async
}

typealias SQLBody<R> = @Sendable (any SQLConnection) throws -> R

/// A connection lent to a body for its transaction.
protocol SQLConnection {
    var dialect: SQLDialect { get }

    /// Whether the connection broke while an earlier run of this transaction was committing, so that its changes may be
    /// in effect.
    var mayHaveCommitted: Bool { get }

    /// How the process is connected to the database.
    var transport: DatabaseTransport { get }

    /// The time of the database, for columns that tell when something happened.
    func now() throws -> Timestamp

    /// The time by which leases end and delayed rows become due: the columns `claimable_at` and `due_at`. It never goes
    /// back when the clock of the machine is set, and need not equal `now()`. Compare it only with those columns.
    func leaseTime() throws -> Timestamp

    /// Runs a statement without results. Each `?` stands for an argument.
    /// - Returns: The number of matched rows, including those whose values did not change.
    @discardableResult
    func execute(_ sql: String, _ arguments: [SQLValue]) throws -> Int

    /// Runs an `INSERT` statement.
    /// - Returns: False if a row with the same primary or unique key exists. Then no row of the statement is
    ///   inserted, and the transaction continues.
    func insert(_ sql: String, _ arguments: [SQLValue]) throws -> Bool

    func query(_ sql: String, _ arguments: [SQLValue]) throws -> [SQLRow]

    func hasTable(_ name: String) throws -> Bool

    func hasColumn(_ name: String, of table: String) throws -> Bool

    func hasIndex(_ name: String, of table: String) throws -> Bool

    /// Runs a statement of a migration. Does nothing if another process has made the same change meanwhile.
    func migrate(_ sql: String) throws
}
