/// A value that is bound to a statement or read from a result.
public enum Value: Sendable, Hashable {
    /// SQL `NULL`.
    case null
    /// Any integer type.
    case integer(Int64)
    /// `FLOAT` or `DOUBLE`.
    case real(Double)
    /// In results, also types without a case of their own, such as decimals.
    case text(String)
    /// `BLOB` or `BINARY`.
    case bytes([UInt8])
}

/// The result of a statement.
public struct StatementResult: Sendable, Hashable {
    /// Rows matched by an `UPDATE`, changed or not (`CLIENT_FOUND_ROWS`), or rows inserted or deleted by another
    /// statement.
    public var affectedRows: Int
    /// Names of the columns.
    public var columns: [String]
    /// The rows, each with one value per column.
    public var rows: [[Value]]
}
