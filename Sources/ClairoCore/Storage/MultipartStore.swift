public import struct Foundation.Data

/// A store that accepts objects in parts, so that uploads can be interrupted and resumed.
public protocol MultipartStore: ObjectStore {
    /// Starts an object that is sent in parts of `partSize` bytes. The last part may have any size. The upload uses
    /// storage until it is completed or aborted.
    func beginUpload(at key: ObjectKey, partSize: Int) throws(ClairoError) -> MultipartUpload

    /// Multipart uploads under `prefix` that are neither completed nor aborted. Their part size is unknown (0).
    func openUploads(prefix: String) throws(ClairoError) -> [MultipartUpload]

    /// Sends part `number`, counted from 1. Replaces an existing part.
    func putPart(_ data: Data, number: Int, of upload: MultipartUpload) throws(ClairoError) -> UploadedPart

    /// The stored parts, by number. For an interrupted upload, this is the source of truth. Throws `noInput` if the
    /// upload was completed or aborted, or is unknown.
    func parts(of upload: MultipartUpload) throws(ClairoError) -> [UploadedPart]

    /// Assembles the object from its parts, which must be numbered 1, 2, 3 … without gaps.
    func complete(_ upload: MultipartUpload, parts: [UploadedPart]) throws(ClairoError) -> ObjectInfo

    /// Deletes an upload and its parts. Succeeds if it does not exist.
    func abort(_ upload: MultipartUpload) throws(ClairoError)
}

/// A multipart upload in progress.
public struct MultipartUpload: Sendable, Hashable, Codable {
    /// The object that it becomes.
    public var key: ObjectKey
    /// The store's id of the upload.
    public var id: String
    /// The size of each part except the last.
    public var partSize: Int

    public init(key: ObjectKey, id: String, partSize: Int) {
        self.key = key
        self.id = id
        self.partSize = partSize
    }

    /// The number of parts of an object of `length` bytes.
    public func partCount(forLength length: Int64) -> Int {
        length > 0 ? Int((length - 1) / Int64(partSize)) + 1 : 0
    }

    /// A part size in whole MiB, at least 8 MiB, with which an object of `length` bytes fits into S3's 10 000 parts.
    /// Without a length it is 64 MiB, which is enough for 625 GiB. Source:
    /// https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
    /// - Parameter smallest: The minimum, for callers that hold several parts in memory. S3 requires 5 MiB.
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
    /// The store's checksum, if it can be computed from the part's bytes.
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
