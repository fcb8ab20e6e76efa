/// The name of an object in a store: a relative path with slashes, for example `video/720p/00001.m4s`.
public struct ObjectKey: Hashable, Sendable, Comparable, Codable, CustomStringConvertible, ExpressibleByStringLiteral {
    /// The key as text.
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

    /// Compares UTF-8 bytes, which is the order of S3's listings.
    public static func < (lhs: ObjectKey, rhs: ObjectKey) -> Bool {
        lhs.rawValue.utf8.lexicographicallyPrecedes(rhs.rawValue.utf8)
    }
}

/// An object in a listing.
public struct ObjectEntry: Sendable, Hashable {
    /// The object's key.
    public var key: ObjectKey
    /// Bytes.
    public var size: Int64

    public init(key: ObjectKey, size: Int64) {
        self.key = key
        self.size = size
    }
}

/// The metadata of an object.
public struct ObjectInfo: Sendable, Hashable {
    /// The object's key.
    public var key: ObjectKey
    /// Bytes.
    public var size: Int64
    /// Changes whenever the bytes may have changed. Opaque: not always a checksum.
    public var etag: String
    /// When it was last written.
    public var modified: Timestamp
    /// The SHA-256 in lower-case hexadecimal, if the store has verified and recorded it.
    public var sha256: String?
    /// Whether another tool created it to show a folder, and marked it so.
    public var isFolder = false

    public init(key: ObjectKey, size: Int64, etag: String, modified: Timestamp, sha256: String? = nil) {
        self.key = key
        self.size = size
        self.etag = etag
        self.modified = modified
        self.sha256 = sha256
    }
}

/// The location of an object in any kind of store.
public struct ObjectLocation: Sendable, Hashable, Codable {
    /// The S3 bucket, or empty for a directory.
    public var bucket: String
    /// The full key in the bucket, including the store's prefix. For a directory, the absolute path.
    public var key: String
    /// `s3://bucket/key` or `file:///path`, percent-encoded.
    public var url: String

    public init(bucket: String, key: String, url: String) {
        self.bucket = bucket
        self.key = key
        self.url = url
    }

    /// The scheme of `url`, such as `s3` or `file`.
    public var scheme: Substring { url.prefix { $0 != ":" } }

    /// The URL of the bucket, such as `s3://bucket`. Nil for a directory.
    public var bucketURL: String? { bucket.isEmpty ? nil : "\(scheme)://\(bucket)" }
}
