public import ClairoCore

/// A call of the database that ended.
public struct DatabaseEvent: Sendable {
    /// What a transaction does.
    public enum Operation: String, Sendable, CaseIterable {
        /// Whether it changes rows.
        case read, write
        /// A transaction that looks for work to do.
        case claim
        /// A change of the schema.
        case migrate
    }

    /// What the transaction did.
    public var operation: Operation
    /// The kind of error it ended with; nil for a success.
    public var failure: ClairoError.Kind?
    /// Repetitions and the wait for a connection included.
    public var seconds: Double
}
