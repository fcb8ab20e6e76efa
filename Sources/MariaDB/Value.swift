/// A value that is bound to a statement or read from a result.
public enum Value: Sendable, Hashable {
    /// SQL `NULL`.
    case null
    /// Any integer type.
    case integer(Int64)
    /// `FLOAT` or `DOUBLE`.
    case real(Double)
    /// Text. In results, also a value of a type without a case of its own, such as a decimal or a date.
    case text(String)
    /// `BLOB` or `BINARY`.
    case bytes([UInt8])
}

/// The result of a statement.
public struct StatementResult: Sendable, Hashable {
    /// The number of rows that an `UPDATE` matched, changed or not (`CLIENT_FOUND_ROWS`), that another statement
    /// inserted or deleted, or that a query returned.
    public var affectedRows: Int
    /// The names of the columns.
    public var columns: [String]
    /// The rows, each with one value per column.
    public var rows: [[Value]]
}
