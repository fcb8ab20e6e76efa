/// A finished SQL statement, for benchmarks and tests.
public struct StatementEvent: Sendable {
    /// The statement, with a `?` for each value.
    public var sql: String
    /// The duration in seconds.
    public var seconds: Double
    /// The number of rows that it changed, or of rows that a query returned.
    public var rows: Int
    /// Whether it is a query.
    public var isQuery: Bool
    /// The number of record locks that it took and that the transaction still holds. InnoDB counts the entry of an
    /// index and its row as two. Nil unless measured.
    public var locks: Int?
}

/// Observes each statement.
public struct StatementObserver: Sendable {
    var measuresLocks: Bool
    var observe: @Sendable (StatementEvent) -> Void

    /// - Parameter measuresLocks: Whether to count record locks on MySQL and MariaDB. It takes a tenth of a second for
    ///   each statement, and statements that would commit by themselves become transactions.
    public init(measuresLocks: Bool = false, observe: @escaping @Sendable (StatementEvent) -> Void) {
        self.measuresLocks = measuresLocks
        self.observe = observe
    }
}
