public import ClairoCore
internal import Foundation
public import Testing

/// The contract of `ObjectStore`: one set of checks for all backends.
///
/// Each check gets an empty store, and may leave anything in it.
public enum ObjectStoreContract {
    /// One clause of the contract.
    public struct Clause: Sendable, CustomTestStringConvertible {
        public let testDescription: String
        let body: @Sendable (any DurableStore) throws -> Void

        init(_ description: String, _ body: @escaping @Sendable (any DurableStore) throws -> Void) {
            testDescription = description
            self.body = body
        }

        public func check(_ store: any DurableStore) throws { try body(store) }
    }

    public static var clauses: [Clause] {
        [
            Clause("get returns what was put") { store in
                for count in [0, 1, 70_000] {
                    let data = bytes(count)
                    try store.put(data, at: "a/b/c.bin")
                    #expect(try store.get("a/b/c.bin") == data)
                    #expect(try store.size(of: "a/b/c.bin") == Int64(count))
                }
            },
            Clause("a second put replaces the first, whether longer or shorter") { store in
                for count in [10, 100_000, 5] {
                    try store.put(bytes(count), at: "x")
                    #expect(try store.get("x") == bytes(count))
                }
                #expect(try store.list(prefix: "") == ["x"])
            },
            Clause("a missing object has no size and no bytes, and can be deleted") { store in
                try store.put(bytes(1), at: "x")
                for key: ObjectKey in ["none", "no/such/key"] {
                    #expect(try store.size(of: key) == nil)
                    #expect(failure { _ = try store.get(key) }?.exitCode == .noInput)
                    #expect(failure { _ = try store.open(key) }?.exitCode == .noInput)
                    try store.delete(key)
                }
                #expect(try store.list(prefix: "") == ["x"])
            },
            keyBelowAnObject,
            Clause("deleting an object leaves its neighbours") { store in
                for key: ObjectKey in ["v/1", "v/2", "w"] { try store.put(bytes(3), at: key) }
                try store.delete("v/1")
                #expect(try store.size(of: "v/1") == nil)
                #expect(try store.list(prefix: "") == ["v/2", "w"])
                try store.delete("v/2")
                try store.put(bytes(4), at: "v/3")
                #expect(try store.list(prefix: "") == ["v/3", "w"])
            },
            Clause("several objects are deleted at once, and their neighbours stay") { store in
                let keys: [ObjectKey] = ["v/1", "v/2", "v 3/ü", "none"]
                for key in Array(keys.dropLast()) + ["v/3", "w"] { try store.put(bytes(3), at: key) }
                try store.delete(keys)
                #expect(try store.list(prefix: "") == ["v/3", "w"])
                try store.delete([])
                try store.delete(["w"])
                #expect(try store.list(prefix: "") == ["v/3"])
            },
            Clause("a prefix of a key is not an object") { store in
                try store.put(bytes(3), at: "video/720p/1.m4s")
                #expect(try store.size(of: "video/720p") == nil)
                #expect(failure { _ = try store.get("video") }?.exitCode == .noInput)
                #expect(try store.list(prefix: "") == ["video/720p/1.m4s"])
            },
            deletionOfAPrefix,
            Clause("a list contains the keys with the prefix, sorted") { store in
                let keys: [ObjectKey] = [
                    "a", "audio/1", "audio/10", "audio/2", "b/c/d", "v/1080p/1", "v/720p/1", "v/720p/2",
                ]
                for key in keys.reversed() { try store.put(bytes(1), at: key) }
                #expect(try store.list(prefix: "") == keys)
                #expect(try store.list(prefix: "a") == ["a", "audio/1", "audio/10", "audio/2"])
                #expect(try store.list(prefix: "audio/1") == ["audio/1", "audio/10"])
                #expect(try store.list(prefix: "v/720p/") == ["v/720p/1", "v/720p/2"])
                #expect(try store.list(prefix: "v/7") == ["v/720p/1", "v/720p/2"])
                for prefix in ["x", "x/y/", "a/b", "/", "/a", "../", "./a", "v//"] {
                    #expect(try store.list(prefix: prefix).isEmpty)
                }
            },
            Clause("usage counts complete objects and their bytes") { store in
                #expect(try store.usage() == StoreUsage())
                for (index, key) in (["a", "b/c/d", "b/e f", "v/720p/1"] as [ObjectKey]).enumerated() {
                    try store.put(bytes(1000 * index), at: key)
                }
                _ = try store.beginUpload(at: "late", partSize: 5 << 20)
                try store.delete("b/c/d")
                #expect(try store.usage() == StoreUsage(objects: 3, bytes: 5000))
            },
            Clause("keys may contain spaces, punctuation and any script") { store in
                let keys: [ObjectKey] = [
                    "a b/c d.mp4", "100%+&=?#.txt", "Übergrößen/日本語.m4s", "🎬/clip.mp4", "~/'\"\\`$(x)", "-rf",
                    ".hidden",
                    "trailing.", "a..b/...",
                ]
                for (index, key) in keys.enumerated() { try store.put(bytes(index + 1), at: key) }
                for (index, key) in keys.enumerated() { #expect(try store.get(key) == bytes(index + 1)) }
                #expect(try store.list(prefix: "") == keys.sorted())
                for key in keys { try store.delete(key) }
                #expect(try store.list(prefix: "").isEmpty)
            },
            Clause("pieces written in a stream become one object") { store in
                try store.put(at: "big/file") { write in
                    for index in 0..<50 { try write(bytes(index * 100)) }
                    try write(Data())
                }
                #expect(try store.get("big/file") == (0..<50).reduce(into: Data()) { $0 += bytes($1 * 100) })
                try store.put(at: "empty") { _ in }
                #expect(try store.get("empty").isEmpty)
            },
            Clause("an object appears only when complete") { store in
                try store.put(bytes(1), at: "old")
                for key: ObjectKey in ["new", "old"] {
                    try store.put(at: key) { write in
                        try write(bytes(100))
                        #expect(try store.size(of: key) == (key == "old" ? 1 : nil))
                        #expect(try store.list(prefix: "") == (key == "old" ? ["new", "old"] : ["old"]))
                    }
                    #expect(try store.size(of: key) == 100)
                }
            },
            Clause("a body that throws changes nothing") { store in
                struct Stop: Error {}
                try store.put(bytes(7), at: "old")
                for key: ObjectKey in ["new/key", "old"] {
                    #expect(throws: Stop.self) {
                        try store.put(at: key) { write in
                            try write(bytes(100))
                            throw Stop()
                        }
                    }
                }
                #expect(try store.list(prefix: "") == ["old"])
                #expect(try store.get("old") == bytes(7))
            },
            Clause("an open object can be read at any offset") { store in
                try store.put(bytes(1000), at: "k")
                let source = try store.open("k")
                #expect(source.size == 1000)
                #expect(try read(source, at: 0, count: 10) == bytes(1000).prefix(10))
                #expect(try read(source, at: 990, count: 100) == bytes(1000).suffix(10))
                #expect(try read(source, at: 1000, count: 10).isEmpty)
                #expect(try read(source, at: 1 << 40, count: 10).isEmpty)
            },
            Clause("putIfAbsent does not replace an existing object") { store in
                for key: ObjectKey in ["new", "deep/er/new"] {
                    #expect(try store.putIfAbsent(bytes(10), at: key))
                    #expect(try store.putIfAbsent(bytes(20), at: key) == false)
                    #expect(try store.get(key) == bytes(10))
                    try store.delete(key)
                    #expect(try store.putIfAbsent(bytes(20), at: key))
                    #expect(try store.get(key) == bytes(20))
                }
                #expect(try store.list(prefix: "") == ["deep/er/new", "new"])
            },
            Clause("entries are the listed keys with their sizes") { store in
                for (index, key) in (["a/1", "a/2", "b", "a/10"] as [ObjectKey]).enumerated() {
                    try store.put(bytes(index * 7), at: key)
                }
                let found = try store.entries(prefix: "a/", after: nil, limit: 10)
                #expect(found.map(\.key) == ["a/1", "a/10", "a/2"])
                #expect(found.map(\.size) == [0, 21, 7])
                #expect(try store.entries(prefix: "a/", after: "a/1", limit: 1).map(\.key) == ["a/10"])
                #expect(try store.entries(prefix: "c", after: nil, limit: 10).isEmpty)
            },
            Clause("a list can be read in pages") { store in
                let keys: [ObjectKey] = ["a", "b/1", "b/10", "b/2", "b c", "d+e", "é"]
                for key in keys { try store.put(bytes(1), at: key) }
                let sorted = keys.sorted()
                for limit in [1, 2, 3, 7, 8] {
                    var found: [ObjectKey] = []
                    while true {
                        let page = try store.list(prefix: "", after: found.last, limit: limit)
                        #expect(page.count <= limit)
                        if page.isEmpty { break }
                        found += page
                    }
                    #expect(found == sorted)
                }
                #expect(try store.list(prefix: "", after: nil, limit: 0).isEmpty)
                #expect(try store.list(prefix: "b/", after: "b/10", limit: 10) == ["b/2"])
                #expect(try store.list(prefix: "b", after: "b/15", limit: 10) == ["b/2"])
                #expect(try store.list(prefix: "", after: "é", limit: 10).isEmpty)
            },
            Clause("an object's metadata changes with its bytes") { store in
                #expect(try store.info(of: "k/x") == nil)
                try store.put(bytes(100), at: "k/x")
                let first = try #require(try store.info(of: "k/x"))
                #expect(first.key == "k/x")
                #expect(first.size == 100)
                #expect(!first.etag.isEmpty)
                #expect(try store.info(of: "k/x") == first)
                try store.put(bytes(101), at: "k/x")
                let second = try #require(try store.info(of: "k/x"))
                #expect(second.size == 101)
                #expect(second.etag != first.etag)
            },
            Clause("a large object written in odd pieces is one object") { store in
                let data = bytes(21 << 20)
                try store.put(at: "large") { write in
                    var rest = data
                    for count in [1, 5 << 20, 3 << 20, (8 << 20) - 1, 100] {
                        try write(rest.prefix(count))
                        rest = rest.dropFirst(count)
                    }
                    try write(rest)
                }
                #expect(try store.info(of: "large")?.size == Int64(data.count))
                #expect(try store.get("large") == data)
                try store.put(data, at: "large 2")
                #expect(try store.get("large 2") == data)
                #expect(try store.openUploads(prefix: "").isEmpty)
            },
            Clause("a large object whose body throws leaves no object and no upload") { store in
                struct Stop: Error {}
                try store.put(bytes(1), at: "other")
                #expect(throws: Stop.self) {
                    try store.put(at: "large") { write in
                        for _ in 0..<3 { try write(bytes(7 << 20)) }
                        throw Stop()
                    }
                }
                #expect(try store.list(prefix: "") == ["other"])
                #expect(try store.openUploads(prefix: "").isEmpty)
            },
            Clause("parts sent in any order become one object") { store in
                let size = 5 << 20
                let data = bytes(2 * size + 1000)
                let upload = try store.beginUpload(at: "v 1/ä", partSize: size)
                #expect(upload.key == "v 1/ä")
                #expect(try store.parts(of: upload).isEmpty)
                var sent: [UploadedPart] = []
                for number in [3, 1, 2] {
                    let piece = part(data, number, size)
                    let part = try store.putPart(piece, number: number, of: upload)
                    #expect(part.number == number)
                    #expect(part.size == piece.count)
                    #expect(part.checksum?.matches(piece) != false)
                    sent.append(part)
                }
                #expect(try store.info(of: "v 1/ä") == nil)
                #expect(try store.list(prefix: "").isEmpty)
                let known = try store.parts(of: upload)
                #expect(known.map(\.number) == [1, 2, 3])
                #expect(known.map(\.size) == [size, size, 1000])
                #expect(known.map(\.etag) == sent.sorted { $0.number < $1.number }.map(\.etag))
                for part in known {
                    #expect(part.checksum?.matches(Self.part(data, part.number, size)) != false)
                    #expect(part.checksum?.matches(bytes(3)) != true)
                }
                let info = try store.complete(upload, parts: known)
                #expect(info.key == "v 1/ä")
                #expect(info.size == Int64(data.count))
                #expect(try store.size(of: "v 1/ä") == info.size)
                #expect(try store.get("v 1/ä") == data)
                #expect(failure { _ = try store.parts(of: upload) }?.exitCode == .noInput)
                #expect(try store.openUploads(prefix: "").isEmpty)
            },
            partAfterCompletion,
            Clause("a repeated part is stored once") { store in
                let upload = try store.beginUpload(at: "k", partSize: 5 << 20)
                for _ in 0..<2 { _ = try store.putPart(bytes(1 << 20), number: 1, of: upload) }
                let known = try store.parts(of: upload)
                #expect(known.map(\.size) == [1 << 20])
                _ = try store.complete(upload, parts: known)
                #expect(try store.get("k") == bytes(1 << 20))
            },
            replacedPart,
            Clause("completing with missing or unordered parts fails, and the right parts still work") { store in
                let upload = try store.beginUpload(at: "k", partSize: 5 << 20)
                let data = bytes(5 << 20) + bytes(10)
                let one = try store.putPart(part(data, 1, 5 << 20), number: 1, of: upload)
                let two = try store.putPart(part(data, 2, 5 << 20), number: 2, of: upload)
                var late = two
                late.number = 3
                for parts in [[], [two], [one, late], [two, one]] {
                    #expect(throws: ClairoError.self) { _ = try store.complete(upload, parts: parts) }
                    #expect(try store.info(of: "k") == nil)
                }
                _ = try store.complete(upload, parts: [one, two])
                #expect(try store.get("k") == data)
            },
            wrongParts,
            Clause("an aborted upload is gone, and aborting it again succeeds") { store in
                let upload = try store.beginUpload(at: "k", partSize: 5 << 20)
                let part = try store.putPart(bytes(10), number: 1, of: upload)
                for _ in 0..<2 {
                    try store.abort(upload)
                    #expect(failure { _ = try store.parts(of: upload) }?.exitCode == .noInput)
                    #expect(throws: ClairoError.self) { _ = try store.complete(upload, parts: [part]) }
                    #expect(try store.info(of: "k") == nil)
                    #expect(try store.openUploads(prefix: "").isEmpty)
                }
            },
            Clause("open uploads are listed by the prefix of their key") { store in
                let keys: [ObjectKey] = ["a/1 2", "a/ü", "b"]
                let uploads = try keys.map { try store.beginUpload(at: $0, partSize: 5 << 20) }
                func open(_ prefix: String) throws -> [String] {
                    try store.openUploads(prefix: prefix).map { "\($0.key) \($0.id)" }.sorted()
                }
                let names = uploads.map { "\($0.key) \($0.id)" }
                #expect(try open("") == names)
                #expect(try open("a/") == Array(names.prefix(2)))
                #expect(try open("c").isEmpty)
                for upload in uploads { try store.abort(upload) }
                #expect(try open("").isEmpty)
            },
            Clause("two uploads to one key are independent") { store in
                let uploads = try (0..<2).map { _ in try store.beginUpload(at: "k", partSize: 5 << 20) }
                #expect(uploads[0].id != uploads[1].id)
                let parts = try uploads.enumerated().map { try store.putPart(bytes($0 + 1), number: 1, of: $1) }
                _ = try store.complete(uploads[1], parts: [parts[1]])
                #expect(try store.get("k") == bytes(2))
                _ = try store.complete(uploads[0], parts: [parts[0]])
                #expect(try store.get("k") == bytes(1))
            },
            Clause("a working store passes its check, which leaves nothing behind") { store in
                try store.check()
                #expect(try store.list(prefix: "").isEmpty)
                #expect(try store.openUploads(prefix: "").isEmpty)
            },
        ]
    }

    // MARK: Clauses that some servers violate

    public static let keyBelowAnObject: Clause = Clause("a key below an object does not exist and can be deleted") {
        store in
        try store.put(bytes(1), at: "x")
        #expect(try store.info(of: "x/below") == nil)
        #expect(failure { _ = try store.get("x/below") }?.exitCode == .noInput)
        try store.delete("x/below")
        #expect(try store.list(prefix: "") == ["x"])
    }

    public static let deletionOfAPrefix: Clause = Clause("deleting a prefix of a key deletes nothing") { store in
        try store.put(bytes(3), at: "video/720p/1.m4s")
        try store.delete("video/720p")
        #expect(try store.list(prefix: "") == ["video/720p/1.m4s"])
    }

    public static let partAfterCompletion: Clause = Clause("a completed upload accepts no more parts") { store in
        let upload = try store.beginUpload(at: "k", partSize: 5 << 20)
        _ = try store.complete(upload, parts: [try store.putPart(bytes(1), number: 1, of: upload)])
        #expect(failure { _ = try store.putPart(bytes(1), number: 1, of: upload) }?.exitCode == .noInput)
    }

    public static let replacedPart: Clause = Clause("a repeated part with other bytes replaces the first") { store in
        let upload = try store.beginUpload(at: "k", partSize: 5 << 20)
        let first = try store.putPart(bytes(2 << 20), number: 1, of: upload)
        let second = try store.putPart(bytes(1 << 20), number: 1, of: upload)
        #expect(first.etag != second.etag)
        let known = try store.parts(of: upload)
        #expect(known.map(\.etag) == [second.etag])
        #expect(known.map(\.size) == [1 << 20])
        _ = try store.complete(upload, parts: known)
        #expect(try store.get("k") == bytes(1 << 20))
    }

    public static let wrongParts: Clause = Clause("completing with other parts fails, and the right parts still work") {
        store in
        let upload = try store.beginUpload(at: "k", partSize: 5 << 20)
        let part = try store.putPart(bytes(10), number: 1, of: upload)
        var wrong = part
        wrong.etag = String(repeating: "0", count: 32)
        wrong.checksum = nil
        #expect(failure { _ = try store.complete(upload, parts: [wrong]) }?.kind == .defect)
        #expect(try store.info(of: "k") == nil)
        _ = try store.complete(upload, parts: [part])
        #expect(try store.get("k") == bytes(10))
    }

    // MARK: Helpers

    /// Bytes that depend on position and length.
    private static func bytes(_ count: Int) -> Data {
        let cycle = Data((0..<256).map { UInt8(truncatingIfNeeded: $0 * 31 + count) })
        var data = Data(capacity: count)
        while data.count < count { data.append(cycle.prefix(count - data.count)) }
        return data
    }

    /// Part `number` of `data`, if split into parts of `size`.
    private static func part(_ data: Data, _ number: Int, _ size: Int) -> Data {
        data.dropFirst((number - 1) * size).prefix(size)
    }

    private static func failure(_ body: () throws -> Void) -> ClairoError? {
        do {
            try body()
            return nil
        } catch { return error as? ClairoError }
    }

    /// Reads `count` bytes or up to the end, because one call may return fewer.
    private static func read(_ source: any ByteSource, at offset: Int64, count: Int) throws -> Data {
        var data = Data()
        while data.count < count {
            var piece = Data(count: count - data.count)
            let position = offset + Int64(data.count)
            let read = try piece.withUnsafeMutableBytes { try source.read(at: position, into: $0) }
            if read == 0 { break }
            data += piece.prefix(read)
        }
        return data
    }
}
