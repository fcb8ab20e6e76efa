public import struct Foundation.Data

/// A store behind a URL with all its roles. Drivers implement it; a use case depends only on the roles that it needs.
public typealias DurableStore = BackingStore & ConditionalStore & MultipartStore & PresigningStore

/// A store on which concurrent writers can determine who was first.
public protocol ConditionalStore: ObjectStore {
    /// Writes an object atomically unless it exists.
    /// - Returns: Whether it was written.
    func putIfAbsent(_ data: Data, at key: ObjectKey) throws(ClairoError) -> Bool
}
