/// What identifies the bytes of a source.
public struct SourceFingerprint: Sendable, Codable, Hashable {
    /// The file's name, for people; it is not part of what makes two sources the same.
    public var name: String
    /// Size of the source.
    public var size: Int64
    /// `sha256:` and the hexadecimal SHA-256 of the whole content, or `etag:` and what the object store calls it: a source
    /// in a store is not read whole only to be known.
    public var identity: String

    public init(name: String, size: Int64, identity: String) {
        self.name = name
        self.size = size
        self.identity = identity
    }

    /// - Parameter check: called before each piece that is read; what it throws ends the work.
    public init(
        of source: any ByteSource, name: String, check: () throws(ClairoError) -> Void = {}
    ) throws(ClairoError) {
        let identity =
            if let etag = source.etag { "etag:\(etag)" } else { "sha256:\(try Checksum.sha256(source, check: check))" }
        self.init(name: name, size: source.size, identity: identity)
    }
}
