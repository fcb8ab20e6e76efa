public import struct Foundation.Data

/// A store that accepts objects in parts, so that uploads can be interrupted and resumed.
public protocol MultipartStore: ObjectStore {
    /// Starts an object that is sent in parts of these sizes. The last part may be shorter. The upload uses storage
    /// until it is completed or aborted.
    /// - Parameter sender: What sends the parts.
    func beginUpload(at key: ObjectKey, sizes: PartSizes, sender: PartSender) throws(ClairoError) -> MultipartUpload

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

extension MultipartStore {
    /// Starts an object that this process sends in equal parts.
    public func beginUpload(at key: ObjectKey, partSize: Int) throws(ClairoError) -> MultipartUpload {
        try beginUpload(at: key, sizes: PartSizes(equal: partSize), sender: .thisProcess)
    }
}

/// What sends the parts of an upload.
public enum PartSender: Sendable, Hashable {
    /// This process, or another one of Clairo, with `putPart`.
    case thisProcess
    /// Clients, through presigned URLs. They send no headers that the store might need for its own checksums.
    case clients
}

/// A multipart upload in progress.
public struct MultipartUpload: Sendable, Hashable, Codable {
    /// The object that it becomes.
    public var key: ObjectKey
    /// The store's id of the upload.
    public var id: String
    /// The size of each part except the last; of the first part if the parts grow.
    public var partSize: Int
    /// Whether the parts grow. Nil in uploads of older versions, whose parts are equal.
    private var grows: Bool?

    public init(key: ObjectKey, id: String, partSize: Int) {
        self.init(key: key, id: id, sizes: PartSizes(equal: partSize))
    }

    public init(key: ObjectKey, id: String, sizes: PartSizes) {
        self.key = key
        self.id = id
        partSize = sizes.first
        grows = sizes.grows ? true : nil
    }

    /// The sizes of the parts.
    public var sizes: PartSizes {
        grows == true ? PartSizes(growingFrom: partSize) : PartSizes(equal: partSize)
    }

    /// The number of equal parts of an object of `length` bytes.
    public func partCount(forLength length: Int64) -> Int {
        length > 0 ? Int((length - 1) / Int64(partSize)) + 1 : 0
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
