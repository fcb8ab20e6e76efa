public import struct Foundation.Data

/// A store that takes objects in parts: those of an upload that may be interrupted and gone on with.
public protocol MultipartStore: ObjectStore {
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
}

/// An object on its way in, part by part.
public struct MultipartUpload: Sendable, Hashable, Codable {
    /// The object that it becomes.
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
    /// Number of the part, from 1.
    public var number: Int
    /// Size in bytes.
    public var size: Int
    /// ETag of the part.
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
    /// MD5 in lower-case hexadecimal.
    case md5(String)
    /// SHA-256 in lower-case hexadecimal.
    case sha256(String)

    /// Whether `data` has this checksum.
    public func matches(_ data: Data) -> Bool {
        switch self {
        case .md5(let hex): Checksum.md5(data) == hex
        case .sha256(let hex): Checksum.sha256(data) == hex
        }
    }
}
