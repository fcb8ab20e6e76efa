import ClairoCore
import Foundation

/// A store into which nothing can be written.
struct FailingStore: ObjectStore {
    let error: ClairoError

    func put(_ data: Data, at key: ObjectKey) throws(ClairoError) { throw error }
    func put(at key: ObjectKey, writing body: (_ write: (Data) throws(ClairoError) -> Void) throws -> Void) throws {
        throw error
    }
    func get(_ key: ObjectKey) throws(ClairoError) -> Data { throw error }
    func open(_ key: ObjectKey) throws(ClairoError) -> any ByteSource { throw error }
    func info(of key: ObjectKey) throws(ClairoError) -> ObjectInfo? { nil }
    func list(prefix: String, after key: ObjectKey?, limit: Int) throws(ClairoError) -> [ObjectKey] { [] }
    func delete(_ key: ObjectKey) throws(ClairoError) { throw error }
}
