internal import ClairoCore
internal import Foundation

/// A store that counts the bytes that are read and written.
struct MeteredStore: DurableStore {
    let base: any DurableStore
    let read: @Sendable (Int) -> Void
    let written: @Sendable (Int) -> Void

    func put(_ data: Data, at key: ObjectKey) throws(ClairoError) {
        try base.put(data, at: key)
        written(data.count)
    }

    func putIfAbsent(_ data: Data, at key: ObjectKey) throws(ClairoError) -> Bool {
        let isWritten = try base.putIfAbsent(data, at: key)
        if isWritten { written(data.count) }
        return isWritten
    }

    func put(at key: ObjectKey, writing body: (_ write: (Data) throws(ClairoError) -> Void) throws -> Void) throws {
        try put(at: key, length: nil, writing: body)
    }

    func put(
        at key: ObjectKey, length: Int64?, writing body: (_ write: (Data) throws(ClairoError) -> Void) throws -> Void
    ) throws {
        try base.put(at: key, length: length) { write in
            // A single closure counts and writes, because the compiler cannot prove that two closures would not
            // overlap.
            try withoutActuallyEscaping(write) { write in
                try body { (data: Data) throws(ClairoError) in
                    try write(data)
                    written(data.count)
                }
            }
        }
    }

    func get(_ key: ObjectKey) throws(ClairoError) -> Data {
        let data = try base.get(key)
        read(data.count)
        return data
    }

    func open(_ key: ObjectKey) throws(ClairoError) -> any ByteSource {
        MeteredSource(base: try base.open(key), read: read)
    }

    func putPart(_ data: Data, number: Int, of upload: MultipartUpload) throws(ClairoError) -> UploadedPart {
        let part = try base.putPart(data, number: number, of: upload)
        written(data.count)
        return part
    }

    // MARK: Without bytes

    func location(of key: ObjectKey) -> ObjectLocation { base.location(of: key) }
    func info(of key: ObjectKey) throws(ClairoError) -> ObjectInfo? { try base.info(of: key) }
    func list(prefix: String, after key: ObjectKey?, limit: Int) throws(ClairoError) -> [ObjectKey] {
        try base.list(prefix: prefix, after: key, limit: limit)
    }
    func entries(prefix: String, after key: ObjectKey?, limit: Int) throws(ClairoError) -> [ObjectEntry] {
        try base.entries(prefix: prefix, after: key, limit: limit)
    }
    func usage() throws(ClairoError) -> StoreUsage { try base.usage() }
    func delete(_ key: ObjectKey) throws(ClairoError) { try base.delete(key) }
    func delete(_ keys: [ObjectKey]) throws(ClairoError) { try base.delete(keys) }
    func removePartialObjects(
        prefix: String, olderThanSeconds seconds: Double, isDryRun: Bool
    ) throws(ClairoError) -> StoreUsage {
        try base.removePartialObjects(prefix: prefix, olderThanSeconds: seconds, isDryRun: isDryRun)
    }
    func beginUpload(at key: ObjectKey, sizes: PartSizes, sender: PartSender) throws(ClairoError) -> MultipartUpload {
        try base.beginUpload(at: key, sizes: sizes, sender: sender)
    }
    func openUploads(prefix: String) throws(ClairoError) -> [MultipartUpload] { try base.openUploads(prefix: prefix) }
    func parts(of upload: MultipartUpload) throws(ClairoError) -> [UploadedPart] { try base.parts(of: upload) }
    func complete(_ upload: MultipartUpload, parts: [UploadedPart]) throws(ClairoError) -> ObjectInfo {
        try base.complete(upload, parts: parts)
    }
    func abort(_ upload: MultipartUpload) throws(ClairoError) { try base.abort(upload) }
    func presignedURL(for access: PresignedAccess, expiresIn seconds: Int) throws(ClairoError) -> String? {
        try base.presignedURL(for: access, expiresIn: seconds)
    }
    func check() throws(ClairoError) { try base.check() }
    var limitations: [String] { base.limitations }
}

/// A source that counts the bytes that are read.
struct MeteredSource: ByteSource {
    let base: any ByteSource
    let read: @Sendable (Int) -> Void

    var size: Int64 { base.size }
    var etag: String? { base.etag }

    func presignedURL(expiresIn seconds: Int) throws(ClairoError) -> String? {
        try base.presignedURL(expiresIn: seconds)
    }

    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(ClairoError) -> Int {
        let count = try base.read(at: offset, into: buffer)
        read(count)
        return count
    }
}
