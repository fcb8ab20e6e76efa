/// The name of an object within a store: relative, slash-separated, for example `video/720p/00001.m4s`.
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

    /// The order of the UTF-8 bytes, which is the order in which S3 lists keys.
    public static func < (lhs: ObjectKey, rhs: ObjectKey) -> Bool {
        lhs.rawValue.utf8.lexicographicallyPrecedes(rhs.rawValue.utf8)
    }
}

/// What a store knows of an object without reading it.
public struct ObjectInfo: Sendable, Hashable {
    /// The object's key.
    public var key: ObjectKey
    /// Bytes.
    public var size: Int64
    /// Changes whenever the bytes may have changed. Opaque: not always a checksum.
    public var etag: String
    /// When it was last written.
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
