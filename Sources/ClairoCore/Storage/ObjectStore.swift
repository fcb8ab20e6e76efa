public import struct Foundation.Data

/// The name of an object within a store: relative, slash-separated, for example `video/720p/00001.m4s`.
public struct ObjectKey: Hashable, Sendable, Comparable, Codable, CustomStringConvertible, ExpressibleByStringLiteral {
    public let rawValue: String

    public init(_ rawValue: String) { self.rawValue = rawValue }

    public init(stringLiteral value: String) { rawValue = value }

    public init(from decoder: any Decoder) throws {
        rawValue = try decoder.singleValueContainer().decode(String.self)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(rawValue)
    }

    public var description: String { rawValue }

    /// The order of the UTF-8 bytes, which is the order in which S3 lists keys.
    public static func < (lhs: ObjectKey, rhs: ObjectKey) -> Bool {
        lhs.rawValue.utf8.lexicographicallyPrecedes(rhs.rawValue.utf8)
    }
}

/// What a store knows of an object without reading it.
public struct ObjectInfo: Sendable, Hashable {
    public var key: ObjectKey
    /// Bytes.
    public var size: Int64
    /// Changes whenever the bytes may have changed. Opaque: not always a checksum.
    public var etag: String
    public var modified: Timestamp
    /// Of the bytes, in lower-case hexadecimal, where the store has checked and kept it.
    public var sha256: String?

    public init(key: ObjectKey, size: Int64, etag: String, modified: Timestamp, sha256: String? = nil) {
        self.key = key
        self.size = size
        self.etag = etag
        self.modified = modified
        self.sha256 = sha256
    }
}

/// Where bytes live: outputs, and the uploaded sources. An object appears whole or not at all, so a key that exists is a
/// finished piece of work.
///
/// Calls block; they come from a dedicated thread and never from the cooperative pool. A call that fails for a passing
/// reason has been repeated with back-off before it throws.
public protocol ObjectStore: Sendable {
    /// Where an object is, for rows, messages and people.
    func location(of key: ObjectKey) -> ObjectLocation

    /// Writes an object whole, replacing one of the same key. A crash leaves the old object or the new, never a part.
    func put(_ data: Data, at key: ObjectKey) throws(ClairoError)

    /// Writes an object whole unless there is one already.
    /// - Returns: whether it was written.
    func putIfAbsent(_ data: Data, at key: ObjectKey) throws(ClairoError) -> Bool

    /// Writes an object piece by piece under the same promise; nothing appears if `body` throws.
    func put(at key: ObjectKey, writing body: (_ write: (Data) throws(ClairoError) -> Void) throws -> Void) throws

    /// The object's bytes; `noInput` where there is none.
    func get(_ key: ObjectKey) throws(ClairoError) -> Data

    /// Random access to an object; `noInput` where there is none.
    func open(_ key: ObjectKey) throws(ClairoError) -> any ByteSource

    /// What is known of an object, or nil where there is none.
    func info(of key: ObjectKey) throws(ClairoError) -> ObjectInfo?

    /// Keys that begin with `prefix`, sorted, from the first one after `key` on, at most `limit`.
    func list(prefix: String, after key: ObjectKey?, limit: Int) throws(ClairoError) -> [ObjectKey]

    /// How much is in the store. It looks at every object: a bucket of a million takes thousands of requests.
    func usage() throws(ClairoError) -> StoreUsage

    /// Removes an object; none there is no error.
    func delete(_ key: ObjectKey) throws(ClairoError)

    // MARK: Uploads in parts

    /// Begins an object that is sent in parts of `partSize` bytes, the last one of any size. It costs storage until it is
    /// completed or aborted.
    func beginUpload(at key: ObjectKey, partSize: Int) throws(ClairoError) -> MultipartUpload

    /// Uploads in parts under `prefix` that are neither completed nor aborted; their part size is not known (0).
    func openUploads(prefix: String) throws(ClairoError) -> [MultipartUpload]

    /// Sends part `number` (from 1), replacing one of the same number.
    func putPart(_ data: Data, number: Int, of upload: MultipartUpload) throws(ClairoError) -> UploadedPart

    /// The parts that the store has, by number; `noInput` where the upload is completed, aborted or unknown. What the store
    /// says here is the truth about an interrupted upload.
    func parts(of upload: MultipartUpload) throws(ClairoError) -> [UploadedPart]

    /// Makes the object of its parts, which must be 1, 2, 3… without a gap.
    func complete(_ upload: MultipartUpload, parts: [UploadedPart]) throws(ClairoError) -> ObjectInfo

    /// Forgets an upload and its parts; none there is no error.
    func abort(_ upload: MultipartUpload) throws(ClairoError)

    // MARK: Access for others

    /// A URL with which anybody may do one thing for a while, without credentials; nil where the store has no such URLs.
    func presignedURL(for access: PresignedAccess, expiresIn seconds: Int) throws(ClairoError) -> String?

    /// Makes sure that the store is there and may be written, and says what is wrong otherwise. For `doctor` and `/readyz`.
    func check() throws(ClairoError)
}

extension ObjectStore {
    /// The object's length in bytes, or nil where there is none.
    public func size(of key: ObjectKey) throws(ClairoError) -> Int64? { try info(of: key)?.size }

    /// All keys that begin with `prefix`, sorted.
    public func list(prefix: String) throws(ClairoError) -> [ObjectKey] {
        try list(prefix: prefix, after: nil, limit: .max)
    }

    /// Writes a small object, reads it and removes it, which tells more than any question about rights and room. For `doctor`.
    public func tryOut() throws(ClairoError) {
        let key = ObjectKey(".clairo-check-\(UInt64.random(in: .min ... .max))")
        let data = Data((0..<4096).map { _ in UInt8.random(in: .min ... .max) })
        try put(data, at: key)
        let read: Data
        do throws(ClairoError) {
            read = try get(key)
        } catch {
            try? delete(key)
            throw error
        }
        try delete(key)
        guard read == data else {
            throw .inputOutput("\(location(of: key).url) did not come back as it was written")
        }
    }

    /// For stores that cannot tell sizes along with names.
    public func usage() throws(ClairoError) -> StoreUsage {
        var usage = StoreUsage()
        for key in try list(prefix: "") {
            if let size = try size(of: key) { usage.add(bytes: size) }
        }
        return usage
    }
}

/// What a store holds, without uploads that are not complete.
public struct StoreUsage: Sendable, Hashable {
    public var objects: Int
    public var bytes: Int64

    public init(objects: Int = 0, bytes: Int64 = 0) {
        self.objects = objects
        self.bytes = bytes
    }

    public mutating func add(bytes: Int64) {
        objects += 1
        self.bytes += bytes
    }
}

/// An object on its way in, part by part.
public struct MultipartUpload: Sendable, Hashable, Codable {
    public var key: ObjectKey
    /// The store's name for it.
    public var id: String
    /// Bytes of each part but the last.
    public var partSize: Int

    public init(key: ObjectKey, id: String, partSize: Int) {
        self.key = key
        self.id = id
        self.partSize = partSize
    }

    /// The parts of an object of `length` bytes.
    public func partCount(forLength length: Int64) -> Int {
        length > 0 ? Int((length - 1) / Int64(partSize)) + 1 : 0
    }

    /// A part size in whole MiB that lets an object of `length` bytes fit into S3's 10 000 parts, at least 8 MiB. Without a
    /// length it is 64 MiB, which is enough for 625 GiB.
    /// Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
    /// - Parameter smallest: for who holds several parts in memory; S3 wants 5 MiB or more.
    public static func partSize(forLength length: Int64?, atLeast smallest: Int = 8 << 20) -> Int {
        guard let length else { return 64 << 20 }
        let needed = max(length - 1, 0) / 10_000 + 1
        let mebibytes = (needed - 1) / (1 << 20) + 1
        return max(smallest, Int(mebibytes << 20))
    }
}

/// A part that the store has.
public struct UploadedPart: Sendable, Hashable {
    public var number: Int
    public var size: Int
    public var etag: String
    /// The store's checksum of the part, where it is one that can be computed from the bytes.
    public var checksum: PartChecksum?

    public init(number: Int, size: Int, etag: String, checksum: PartChecksum?) {
        self.number = number
        self.size = size
        self.etag = etag
        self.checksum = checksum
    }
}

/// A checksum of a part's bytes, in lower-case hexadecimal.
public enum PartChecksum: Sendable, Hashable {
    case md5(String)
    case sha256(String)

    public func matches(_ data: Data) -> Bool {
        switch self {
        case .md5(let hex): Checksum.md5(data) == hex
        case .sha256(let hex): Checksum.sha256(data) == hex
        }
    }
}

/// The one thing that a presigned URL allows.
public enum PresignedAccess: Sendable, Hashable {
    case get(ObjectKey)
    case put(ObjectKey)
    /// Exactly `size` bytes.
    case putPart(number: Int, size: Int64, MultipartUpload)
}

/// Where an object is, whatever the kind of store.
public struct ObjectLocation: Sendable, Hashable, Codable {
    /// The S3 bucket; empty for a directory.
    public var bucket: String
    /// The whole key in the bucket, with the store's prefix; for a directory the absolute path.
    public var key: String
    /// `s3://bucket/key` or `file:///path`, percent-encoded.
    public var url: String

    public init(bucket: String, key: String, url: String) {
        self.bucket = bucket
        self.key = key
        self.url = url
    }
}
