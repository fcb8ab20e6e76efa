/// A value that is bound to a statement or read from a result.
public enum Value: Sendable, Hashable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case bytes([UInt8])
}

/// The result of a query.
public struct QueryResult: Sendable, Hashable {
    /// The names of the columns.
    public var columns: [String]
    /// The rows, each with one value per column.
    public var rows: [[Value]]
}
