public import struct Foundation.Data

/// Everything that the store behind a URL can do. Drivers implement it; a use case takes only the roles that it needs.
public typealias DurableStore = BackingStore & ConditionalStore & MultipartStore & PresigningStore

/// A store on which two writers can find out who was first.
public protocol ConditionalStore: ObjectStore {
    /// Writes an object atomically unless it exists.
    /// - Returns: Whether it was written.
    func putIfAbsent(_ data: Data, at key: ObjectKey) throws(ClairoError) -> Bool
}
