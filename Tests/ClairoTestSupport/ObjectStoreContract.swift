public import ClairoCore
internal import Foundation
public import Testing

/// What every `ObjectStore` must do, as one body of checks for all backends.
///
/// A suite gives a store that is empty; each check leaves in it what it likes.
public enum ObjectStoreContract {
    /// One promise of the port.
    public struct Promise: Sendable, CustomTestStringConvertible {
        public let testDescription: String
        let body: @Sendable (any ObjectStore) throws -> Void

        init(_ description: String, _ body: @escaping @Sendable (any ObjectStore) throws -> Void) {
            testDescription = description
            self.body = body
        }

        public func check(_ store: any ObjectStore) throws { try body(store) }
    }

    public static let promises = [
        Promise("what was put is got back") { store in
            for count in [0, 1, 70_000] {
                let data = bytes(count)
                try store.put(data, at: "a/b/c.bin")
                #expect(try store.get("a/b/c.bin") == data)
                #expect(try store.size(of: "a/b/c.bin") == Int64(count))
            }
        },
        Promise("a second put replaces the first, longer or shorter") { store in
            for count in [10, 100_000, 5] {
                try store.put(bytes(count), at: "x")
                #expect(try store.get("x") == bytes(count))
            }
            #expect(try store.list(prefix: "") == ["x"])
        },
        Promise("a missing object has no size, no bytes, and may be deleted") { store in
            for key: ObjectKey in ["none", "no/such/key", "x/below"] {
                try store.put(bytes(1), at: "x")
                #expect(try store.size(of: key) == nil)
                #expect(failure { _ = try store.get(key) }?.exitCode == .noInput)
                #expect(failure { _ = try store.open(key) }?.exitCode == .noInput)
                try store.delete(key)
            }
            #expect(try store.list(prefix: "") == ["x"])
        },
        Promise("a deleted object is gone and its neighbours stay") { store in
            for key: ObjectKey in ["v/1", "v/2", "w"] { try store.put(bytes(3), at: key) }
            try store.delete("v/1")
            #expect(try store.size(of: "v/1") == nil)
            #expect(try store.list(prefix: "") == ["v/2", "w"])
            try store.delete("v/2")
            try store.put(bytes(4), at: "v/3")
            #expect(try store.list(prefix: "") == ["v/3", "w"])
        },
        Promise("the first part of a key is no object") { store in
            try store.put(bytes(3), at: "video/720p/1.m4s")
            #expect(try store.size(of: "video/720p") == nil)
            #expect(failure { _ = try store.get("video") }?.exitCode == .noInput)
            try store.delete("video/720p")
            #expect(try store.list(prefix: "") == ["video/720p/1.m4s"])
        },
        Promise("a list holds the keys with the prefix, sorted") { store in
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
        Promise("keys may hold spaces, signs and any script") { store in
            let keys: [ObjectKey] = [
                "a b/c d.mp4", "100%+&=?#.txt", "Übergrößen/日本語.m4s", "🎬/clip.mp4", "~/'\"\\`$(x)", "-rf", ".hidden",
                "trailing.", "a..b/...",
            ]
            for (index, key) in keys.enumerated() { try store.put(bytes(index + 1), at: key) }
            for (index, key) in keys.enumerated() { #expect(try store.get(key) == bytes(index + 1)) }
            #expect(try store.list(prefix: "") == keys.sorted())
            for key in keys { try store.delete(key) }
            #expect(try store.list(prefix: "").isEmpty)
        },
        Promise("a stream of pieces is one object") { store in
            try store.put(at: "big/file") { write in
                for index in 0..<50 { try write(bytes(index * 100)) }
                try write(Data())
            }
            #expect(try store.get("big/file") == (0..<50).reduce(into: Data()) { $0 += bytes($1 * 100) })
            try store.put(at: "empty") { _ in }
            #expect(try store.get("empty").isEmpty)
        },
        Promise("an object appears when all of it is there") { store in
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
        Promise("a body that throws leaves everything as it was") { store in
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
        Promise("an open object can be read at any offset") { store in
            try store.put(bytes(1000), at: "k")
            let source = try store.open("k")
            #expect(source.size == 1000)
            #expect(try read(source, at: 0, count: 10) == bytes(1000).prefix(10))
            #expect(try read(source, at: 990, count: 100) == bytes(1000).suffix(10))
            #expect(try read(source, at: 1000, count: 10).isEmpty)
            #expect(try read(source, at: 1 << 40, count: 10).isEmpty)
        },
    ]

    /// Bytes that differ by place and length.
    private static func bytes(_ count: Int) -> Data {
        Data((0..<count).map { UInt8(truncatingIfNeeded: $0 * 31 + count) })
    }

    private static func failure(_ body: () throws -> Void) -> ClairoError? {
        do {
            try body()
            return nil
        } catch { return error as? ClairoError }
    }

    /// Reads until `count` bytes or the end: one call may give fewer than were asked for.
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
