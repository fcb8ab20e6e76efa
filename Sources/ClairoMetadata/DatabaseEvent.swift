public import ClairoCore

/// A finished database call.
public struct DatabaseEvent: Sendable {
    /// What a transaction does.
    public enum Operation: String, Sendable, CaseIterable {
        /// A call that only reads, or that changes rows.
        case read, write
        /// A query that looks for work.
        case claim
        /// A migration of the schema.
        case migrate
    }

    /// The operation.
    public var operation: Operation
    /// The kind of error, or nil on success.
    public var failure: ClairoError.Kind?
    /// The duration in seconds, including retries and the wait for a connection.
    public var seconds: Double
}
