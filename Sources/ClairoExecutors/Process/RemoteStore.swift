internal import ClairoCore
internal import Foundation

/// The output folder in the child. Every call is a request to the parent.
struct RemoteStore: ObjectStore {
    let channel: TaskChannel

    func put(_ data: Data, at key: ObjectKey) throws(ClairoError) {
        if data.count <= WireLimits.piece {
            _ = try channel.ask(RequestHead(operation: .put, key: key), payload: data)
            return
        }
        let handle = try begin(key, length: Int64(data.count))
        do throws(ClairoError) {
            try write(data, to: handle)
        } catch {
            abort(handle)
            throw error
        }
        try end(handle)
    }

    func put(at key: ObjectKey, writing body: (_ write: (Data) throws(ClairoError) -> Void) throws -> Void) throws {
        try put(at: key, length: nil, writing: body)
    }

    func put(
        at key: ObjectKey, length: Int64?, writing body: (_ write: (Data) throws(ClairoError) -> Void) throws -> Void
    ) throws {
        let handle = try begin(key, length: length)
        do {
            try body { (data: Data) throws(ClairoError) in try write(data, to: handle) }
        } catch {
            abort(handle)
            throw error
        }
        try end(handle)
    }

    private func begin(_ key: ObjectKey, length: Int64?) throws(ClairoError) -> Int? {
        try channel.ask(RequestHead(operation: .beginPut, key: key, length: length)).head.handle
    }

    private func write(_ data: Data, to handle: Int?) throws(ClairoError) {
        for start in stride(from: 0, to: data.count, by: WireLimits.piece) {
            let piece = data.dropFirst(start).prefix(WireLimits.piece)
            _ = try channel.ask(RequestHead(operation: .writePut, handle: handle), payload: piece)
        }
    }

    private func end(_ handle: Int?) throws(ClairoError) {
        _ = try channel.ask(RequestHead(operation: .endPut, handle: handle))
    }

    private func abort(_ handle: Int?) { _ = try? channel.ask(RequestHead(operation: .abortPut, handle: handle)) }

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

    func record(of key: ObjectKey) throws(ClairoError) -> FileRecord {
        let answer = try channel.ask(RequestHead(operation: .record, key: key)).head
        guard let size = answer.size, let sha256 = answer.sha256 else {
            throw .defect("The host of the task did not answer with a record of \(key)")
        }
        return FileRecord(key: key.rawValue, bytes: size, sha256: sha256)
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

    func delete(_ key: ObjectKey) throws(ClairoError) { try delete([key]) }

    func delete(_ keys: [ObjectKey]) throws(ClairoError) {
        var rest = keys[...]
        while !rest.isEmpty {
            // Fits into a request (`WireLimits`), even if JSON escapes some characters.
            var (count, bytes) = (0, 0)
            while count < rest.count, count == 0 || bytes < 3 << 10 {
                bytes += rest[rest.startIndex + count].rawValue.utf8.count + 3
                count += 1
            }
            let batch = rest.prefix(count)
            _ = try channel.ask(RequestHead(operation: .delete, keys: Array(batch)))
            rest = rest.dropFirst(batch.count)
        }
    }
}
