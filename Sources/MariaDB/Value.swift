/// A value that is bound to a statement or read from a result.
public enum Value: Sendable, Hashable {
    case null
    case integer(Int64)
    case real(Double)
    /// In results also what has no case of its own, such as decimals.
    case text(String)
    case bytes([UInt8])
}

/// What a statement gave.
public struct StatementResult: Sendable, Hashable {
    /// Rows that an `UPDATE` found, whether or not it changed them (`CLIENT_FOUND_ROWS`), or that another statement inserted
    /// or deleted.
    public var affectedRows: Int
    public var columns: [String]
    public var rows: [[Value]]
}
