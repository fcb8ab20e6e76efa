public import struct Foundation.Data

/// The name of an object within a store: relative, slash-separated, for example `video/720p/00001.m4s`.
public struct ObjectKey: Hashable, Sendable, Comparable, CustomStringConvertible, ExpressibleByStringLiteral {
    public let rawValue: String

    public init(_ rawValue: String) { self.rawValue = rawValue }

    public init(stringLiteral value: String) { rawValue = value }

    public var description: String { rawValue }

    public static func < (lhs: ObjectKey, rhs: ObjectKey) -> Bool { lhs.rawValue < rhs.rawValue }
}

/// Where outputs live. An object appears whole or not at all, so a key that exists is a finished piece of work.
///
/// Calls block; they come from a dedicated thread and never from the cooperative pool.
public protocol ObjectStore: Sendable {
    /// Writes an object whole, replacing one of the same key. A crash leaves the old object or the new, never a part.
    func put(_ data: Data, at key: ObjectKey) throws(ClairoError)

    /// Writes an object piece by piece under the same promise; nothing appears if `body` throws.
    func put(at key: ObjectKey, writing body: (_ write: (Data) throws(ClairoError) -> Void) throws -> Void) throws

    /// The object's bytes; `noInput` where there is none.
    func get(_ key: ObjectKey) throws(ClairoError) -> Data

    /// Random access to an object; `noInput` where there is none.
    func open(_ key: ObjectKey) throws(ClairoError) -> any ByteSource

    /// The object's length in bytes, or nil where there is none.
    func size(of key: ObjectKey) throws(ClairoError) -> Int64?

    /// All keys that begin with `prefix`, sorted.
    func list(prefix: String) throws(ClairoError) -> [ObjectKey]

    /// Removes an object; none there is no error.
    func delete(_ key: ObjectKey) throws(ClairoError)
}
