public import ClairoCore

/// A finished database call.
public struct DatabaseEvent: Sendable {
    /// What a transaction does.
    public enum Operation: String, Sendable, CaseIterable {
        /// Whether it changes rows.
        case read, write
        /// A transaction that looks for work.
        case claim
        /// A change of the schema.
        case migrate
    }

    /// What the transaction did.
    public var operation: Operation
    /// The kind of error, or nil on success.
    public var failure: ClairoError.Kind?
    /// Including retries and the wait for a connection.
    public var seconds: Double
}
