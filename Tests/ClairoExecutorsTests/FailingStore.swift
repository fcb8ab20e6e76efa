import ClairoCore
import Foundation

/// A store into which nothing can be written.
struct FailingStore: ObjectStore {
    let error: ClairoError

    func location(of key: ObjectKey) -> ObjectLocation { ObjectLocation(bucket: "", key: "", url: "") }
    func put(_ data: Data, at key: ObjectKey) throws(ClairoError) { throw error }
    func putIfAbsent(_ data: Data, at key: ObjectKey) throws(ClairoError) -> Bool { throw error }
    func put(at key: ObjectKey, writing body: (_ write: (Data) throws(ClairoError) -> Void) throws -> Void) throws {
        throw error
    }
    func get(_ key: ObjectKey) throws(ClairoError) -> Data { throw error }
    func open(_ key: ObjectKey) throws(ClairoError) -> any ByteSource { throw error }
    func info(of key: ObjectKey) throws(ClairoError) -> ObjectInfo? { nil }
    func list(prefix: String, after key: ObjectKey?, limit: Int) throws(ClairoError) -> [ObjectKey] { [] }
    func delete(_ key: ObjectKey) throws(ClairoError) { throw error }
    func beginUpload(at key: ObjectKey, partSize: Int) throws(ClairoError) -> MultipartUpload { throw error }
    func openUploads(prefix: String) throws(ClairoError) -> [MultipartUpload] { throw error }
    func putPart(_ data: Data, number: Int, of upload: MultipartUpload) throws(ClairoError) -> UploadedPart {
        throw error
    }
    func parts(of upload: MultipartUpload) throws(ClairoError) -> [UploadedPart] { throw error }
    func complete(_ upload: MultipartUpload, parts: [UploadedPart]) throws(ClairoError) -> ObjectInfo { throw error }
    func abort(_ upload: MultipartUpload) throws(ClairoError) { throw error }
    func presignedURL(for access: PresignedAccess, expiresIn seconds: Int) throws(ClairoError) -> String? {
        throw error
    }
    func check() throws(ClairoError) { throw error }
}
