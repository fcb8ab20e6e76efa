/// A value that is bound to a statement or read from a result.
public enum Value: Sendable, Hashable {
    case null
    case integer(Int64)
    case real(Double)
    /// In results, also types without a case of their own, such as decimals.
    case text(String)
    case bytes([UInt8])
}

/// The result of a statement.
public struct StatementResult: Sendable, Hashable {
    /// Rows matched by an `UPDATE`, changed or not (`CLIENT_FOUND_ROWS`), or rows inserted or deleted by another
    /// statement.
    public var affectedRows: Int
    public var columns: [String]
    public var rows: [[Value]]
}
