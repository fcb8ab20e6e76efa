internal import ClairoCore
internal import Foundation

/// The output folder as the child has it: every call is a request to the parent.
struct RemoteStore: ObjectStore {
    let channel: TaskChannel

    func location(of key: ObjectKey) -> ObjectLocation {
        // Where the folder is, is not the task's to know.
        ObjectLocation(bucket: "", key: key.rawValue, url: key.rawValue)
    }

    func put(_ data: Data, at key: ObjectKey) throws(ClairoError) {
        if data.count <= WireLimits.piece {
            _ = try channel.ask(RequestHead(operation: .put, key: key), payload: data)
        } else {
            do {
                try put(at: key) { write in try write(data) }
            } catch {
                throw error as? ClairoError ?? .defect("\(key) was not written: \(error)")
            }
        }
    }

    func put(at key: ObjectKey, writing body: (_ write: (Data) throws(ClairoError) -> Void) throws -> Void) throws {
        let handle = try channel.ask(RequestHead(operation: .beginPut, key: key)).head.handle
        do {
            try body { (data: Data) throws(ClairoError) in
                for start in stride(from: 0, to: data.count, by: WireLimits.piece) {
                    let piece = data.dropFirst(start).prefix(WireLimits.piece)
                    _ = try channel.ask(RequestHead(operation: .writePut, handle: handle), payload: piece)
                }
            }
        } catch {
            _ = try? channel.ask(RequestHead(operation: .abortPut, handle: handle))
            throw error
        }
        _ = try channel.ask(RequestHead(operation: .endPut, handle: handle))
    }

    func get(_ key: ObjectKey) throws(ClairoError) -> Data {
        try channel.ask(RequestHead(operation: .get, key: key)).payload
    }

    func open(_ key: ObjectKey) throws(ClairoError) -> any ByteSource {
        let answer = try channel.ask(RequestHead(operation: .open, key: key)).head
        return RemoteSource(
            size: answer.size ?? 0, etag: nil, channel: channel,
            object: RemoteObject(handle: answer.handle, channel: channel))
    }

    func info(of key: ObjectKey) throws(ClairoError) -> ObjectInfo? {
        let answer = try channel.ask(RequestHead(operation: .info, key: key)).head
        guard let size = answer.size, let etag = answer.etag, let modified = answer.modified else { return nil }
        return ObjectInfo(key: key, size: size, etag: etag, modified: modified)
    }

    func list(prefix: String, after key: ObjectKey?, limit: Int) throws(ClairoError) -> [ObjectKey] {
        var keys: [ObjectKey] = []
        while keys.count < limit {
            let page = try channel.ask(
                RequestHead(
                    operation: .list, key: keys.last ?? key, prefix: prefix, count: min(limit - keys.count, 1000))
            ).head.keys
            guard let page, !page.isEmpty else { break }
            keys += page
        }
        return keys
    }

    func delete(_ key: ObjectKey) throws(ClairoError) {
        _ = try channel.ask(RequestHead(operation: .delete, key: key))
    }

    // MARK: Not a task's to do

    private static let refused = ClairoError.defect("A task's process may not do that with the output folder")

    func putIfAbsent(_ data: Data, at key: ObjectKey) throws(ClairoError) -> Bool { throw Self.refused }
    func beginUpload(at key: ObjectKey, partSize: Int) throws(ClairoError) -> MultipartUpload { throw Self.refused }
    func openUploads(prefix: String) throws(ClairoError) -> [MultipartUpload] { throw Self.refused }
    func putPart(_ data: Data, number: Int, of upload: MultipartUpload) throws(ClairoError) -> UploadedPart {
        throw Self.refused
    }
    func parts(of upload: MultipartUpload) throws(ClairoError) -> [UploadedPart] { throw Self.refused }
    func complete(_ upload: MultipartUpload, parts: [UploadedPart]) throws(ClairoError) -> ObjectInfo {
        throw Self.refused
    }
    func abort(_ upload: MultipartUpload) throws(ClairoError) { throw Self.refused }
    func presignedURL(for access: PresignedAccess, expiresIn seconds: Int) throws(ClairoError) -> String? {
        throw Self.refused
    }
    func check() throws(ClairoError) { throw Self.refused }
}
