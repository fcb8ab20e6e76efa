public import ClairoCore
public import Foundation

/// A store into which nothing can be written.
public struct FailingStore: ObjectStore {
    public let error: ClairoError

    public init(error: ClairoError) { self.error = error }

    public func put(_ data: Data, at key: ObjectKey) throws(ClairoError) { throw error }
    public func put(at key: ObjectKey, writing body: (_ write: (Data) throws(ClairoError) -> Void) throws -> Void)
        throws
    {
        throw error
    }
    public func get(_ key: ObjectKey) throws(ClairoError) -> Data { throw error }
    public func open(_ key: ObjectKey) throws(ClairoError) -> any ByteSource { throw error }
    public func info(of key: ObjectKey) throws(ClairoError) -> ObjectInfo? { nil }
    public func list(prefix: String, after key: ObjectKey?, limit: Int) throws(ClairoError) -> [ObjectKey] { [] }
    public func delete(_ key: ObjectKey) throws(ClairoError) { throw error }
}
