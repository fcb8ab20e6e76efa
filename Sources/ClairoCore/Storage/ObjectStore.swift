public import struct Foundation.Data

/// A store of objects: uploaded sources and output. Objects appear atomically, so an existing key is
/// finished work.
///
/// Calls block. Use a dedicated thread, never the cooperative pool. Retryable errors have been retried with back-off
/// before a call throws.
public protocol ObjectStore: Sendable {
    /// Writes an object atomically, replacing an existing one.
    func put(_ data: Data, at key: ObjectKey) throws(ClairoError)

    /// Writes an object atomically, piece by piece. Nothing is written if `body` throws.
    func put(at key: ObjectKey, writing body: (_ write: (Data) throws(ClairoError) -> Void) throws -> Void) throws

    /// The same for an object whose length is known. Some stores treat large objects better if they know it.
    func put(
        at key: ObjectKey, length: Int64?, writing body: (_ write: (Data) throws(ClairoError) -> Void) throws -> Void
    ) throws

    /// The object's bytes. Throws `noInput` if it does not exist.
    func get(_ key: ObjectKey) throws(ClairoError) -> Data

    /// Opens an object for random access. Throws `noInput` if it does not exist.
    func open(_ key: ObjectKey) throws(ClairoError) -> any ByteSource

    /// The object's metadata, or nil if it does not exist.
    func info(of key: ObjectKey) throws(ClairoError) -> ObjectInfo?

    /// The record of an object as it is stored, computed from its bytes. Throws `noInput` if it does not exist. A store
    /// that encrypts has other bytes than `get` returns.
    func record(of key: ObjectKey) throws(ClairoError) -> FileRecord

    /// Up to `limit` keys that begin with `prefix` and follow `key`, sorted.
    func list(prefix: String, after key: ObjectKey?, limit: Int) throws(ClairoError) -> [ObjectKey]

    /// The same as `list`, with the size of each object, in as few requests as the store allows.
    func entries(prefix: String, after key: ObjectKey?, limit: Int) throws(ClairoError) -> [ObjectEntry]

    /// Deletes an object. Succeeds if it does not exist.
    func delete(_ key: ObjectKey) throws(ClairoError)

    /// Deletes objects, in as few requests as the store allows. Succeeds for those that do not exist. If it throws, any
    /// number of them may have been deleted.
    func delete(_ keys: [ObjectKey]) throws(ClairoError)
}

extension ObjectStore {
    public func put(
        at key: ObjectKey, length: Int64?, writing body: (_ write: (Data) throws(ClairoError) -> Void) throws -> Void
    ) throws {
        try put(at: key, writing: body)
    }

    public func record(of key: ObjectKey) throws(ClairoError) -> FileRecord {
        let source = try open(key)
        return FileRecord(key: key.rawValue, bytes: source.size, sha256: try Checksum.sha256(source))
    }

    public func delete(_ keys: [ObjectKey]) throws(ClairoError) {
        for key in keys { try delete(key) }
    }

    public func entries(prefix: String, after key: ObjectKey?, limit: Int) throws(ClairoError) -> [ObjectEntry] {
        var entries: [ObjectEntry] = []
        for key in try list(prefix: prefix, after: key, limit: limit) {
            // An object may have been deleted since it was listed.
            if let size = try size(of: key) { entries.append(ObjectEntry(key: key, size: size)) }
        }
        return entries
    }

    /// The object's size in bytes, or nil if it does not exist.
    public func size(of key: ObjectKey) throws(ClairoError) -> Int64? { try info(of: key)?.size }

    /// All keys that begin with `prefix`, sorted.
    public func list(prefix: String) throws(ClairoError) -> [ObjectKey] {
        try list(prefix: prefix, after: nil, limit: .max)
    }
}
