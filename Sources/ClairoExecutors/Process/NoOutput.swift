public import ClairoCore
public import Foundation

/// The output folder of who has nothing to write.
public struct NoOutput: ObjectStore {
    public init() {}

    private static let refused = ClairoError.defect("Who looks into a source has no output folder")

    public func location(of key: ObjectKey) -> ObjectLocation { ObjectLocation(bucket: "", key: key.rawValue, url: "") }
    public func put(_ data: Data, at key: ObjectKey) throws(ClairoError) { throw Self.refused }
    public func putIfAbsent(_ data: Data, at key: ObjectKey) throws(ClairoError) -> Bool { throw Self.refused }
    public func put(at key: ObjectKey, writing body: (_ write: (Data) throws(ClairoError) -> Void) throws -> Void)
        throws
    {
        throw Self.refused
    }
    public func get(_ key: ObjectKey) throws(ClairoError) -> Data { throw Self.refused }
    public func open(_ key: ObjectKey) throws(ClairoError) -> any ByteSource { throw Self.refused }
    public func info(of key: ObjectKey) throws(ClairoError) -> ObjectInfo? { throw Self.refused }
    public func list(prefix: String, after key: ObjectKey?, limit: Int) throws(ClairoError) -> [ObjectKey] {
        throw Self.refused
    }
    public func delete(_ key: ObjectKey) throws(ClairoError) { throw Self.refused }
    public func beginUpload(at key: ObjectKey, partSize: Int) throws(ClairoError) -> MultipartUpload {
        throw Self.refused
    }
    public func openUploads(prefix: String) throws(ClairoError) -> [MultipartUpload] { throw Self.refused }
    public func putPart(_ data: Data, number: Int, of upload: MultipartUpload) throws(ClairoError) -> UploadedPart {
        throw Self.refused
    }
    public func parts(of upload: MultipartUpload) throws(ClairoError) -> [UploadedPart] { throw Self.refused }
    public func complete(_ upload: MultipartUpload, parts: [UploadedPart]) throws(ClairoError) -> ObjectInfo {
        throw Self.refused
    }
    public func abort(_ upload: MultipartUpload) throws(ClairoError) { throw Self.refused }
    public func presignedURL(for access: PresignedAccess, expiresIn seconds: Int) throws(ClairoError) -> String? {
        throw Self.refused
    }
    public func check() throws(ClairoError) { throw Self.refused }
}
