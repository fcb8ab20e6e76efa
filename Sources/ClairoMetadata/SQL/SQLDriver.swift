internal import ClairoCore

/// What the store needs of a database: transactions that run a closure over one connection, off the cooperative pool.
///
/// The SQL is written once, for both engines, in the words that they share; `SQLDialect` has what they do not share.
///
/// A driver repeats a body that met a deadlock or lost its connection, so a body must be fit to run again: it decides
/// by conditional updates, changes nothing but the database, and asks `SQLConnection.mayHaveCommitted` where a second run
/// cannot tell its own earlier work from another's. Once a body runs, cancelling the caller does not stop it; a caller
/// that is cancelled before that gets `ClairoError.cancelled`.
protocol SQLDriver: Sendable {
    var dialect: SQLDialect { get }

    /// Runs queries. Each sees what was committed before it; several see no common snapshot.
    func read<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R

    /// Runs a transaction that is committed where the body returns and rolled back where it throws.
    func write<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R

    /// What `write` does for a body that goes by queries as hints only: where the engine can, its plain queries see what others
    /// have not committed yet, and need not look for older versions of the rows that those are changing. They do not where
    /// `mayHaveCommitted`.
    func writeByHints<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R

    /// Runs a body while no other process does the same, whatever the schema's version is. It is one transaction where the
    /// engine knows such for DDL.
    func alone<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R

    /// What `read` does, whatever the schema's version is.
    func readAnySchema<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R

    /// Ends all connections. Calls after it throw.
    func close() async
}

typealias SQLBody<R> = @Sendable (any SQLConnection) throws -> R

extension SQLDriver {
    func writeByHints<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R {
        try await write(body)
    }
}

/// One connection, lent to a body for the time of its transaction.
protocol SQLConnection {
    var dialect: SQLDialect { get }

    /// The connection broke while this transaction was being committed before, so its work may be done already.
    var mayHaveCommitted: Bool { get }

    /// The database's clock, when the transaction began or later.
    func now() throws -> Timestamp

    /// Runs one statement without results. `?` stands for the arguments.
    /// - Returns: how many rows it applied to, changed or not.
    @discardableResult
    func execute(_ sql: String, _ arguments: [SQLValue]) throws -> Int

    /// Runs an `INSERT` of one row.
    /// - Returns: false where a row with its primary or unique key is there; the transaction goes on.
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
