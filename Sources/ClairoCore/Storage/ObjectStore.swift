public import struct Foundation.Data

/// Where bytes live: outputs, and the uploaded sources. An object appears whole or not at all, so a key that exists is a
/// finished piece of work.
///
/// Calls block; they come from a dedicated thread and never from the cooperative pool. A call that fails for a passing
/// reason has been repeated with back-off before it throws.
public protocol ObjectStore: Sendable {
    /// Writes an object whole, replacing one of the same key. A crash leaves the old object or the new, never a part.
    func put(_ data: Data, at key: ObjectKey) throws(ClairoError)

    /// Writes an object piece by piece under the same promise; nothing appears if `body` throws.
    func put(at key: ObjectKey, writing body: (_ write: (Data) throws(ClairoError) -> Void) throws -> Void) throws

    /// The object's bytes; `noInput` where there is none.
    func get(_ key: ObjectKey) throws(ClairoError) -> Data

    /// Random access to an object; `noInput` where there is none.
    func open(_ key: ObjectKey) throws(ClairoError) -> any ByteSource

    /// What is known of an object, or nil where there is none.
    func info(of key: ObjectKey) throws(ClairoError) -> ObjectInfo?

    /// Keys that begin with `prefix`, sorted, from the first one after `key` on, at most `limit`.
    func list(prefix: String, after key: ObjectKey?, limit: Int) throws(ClairoError) -> [ObjectKey]

    /// Removes an object; none there is no error.
    func delete(_ key: ObjectKey) throws(ClairoError)
}

extension ObjectStore {
    /// The object's length in bytes, or nil where there is none.
    public func size(of key: ObjectKey) throws(ClairoError) -> Int64? { try info(of: key)?.size }

    /// All keys that begin with `prefix`, sorted.
    public func list(prefix: String) throws(ClairoError) -> [ObjectKey] {
        try list(prefix: prefix, after: nil, limit: .max)
    }
}
