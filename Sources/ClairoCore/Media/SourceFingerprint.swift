/// Identifies the bytes of a source.
public struct SourceFingerprint: Sendable, Codable, Hashable {
    /// The file name, for display. Not part of the identity.
    public var name: String
    /// Size of the source.
    public var size: Int64
    /// `sha256:` and the hexadecimal SHA-256 of the content, or `etag:` and the store's ETag, because reading a whole
    /// object only to identify it would be expensive.
    public var identity: String

    public init(name: String, size: Int64, identity: String) {
        self.name = name
        self.size = size
        self.identity = identity
    }

    /// - Parameter check: Called before each piece that is read. Its error ends the computation.
    public init(
        of source: any ByteSource, name: String, check: () throws(ClairoError) -> Void = {}
    ) throws(ClairoError) {
        let identity =
            if let etag = source.etag { "etag:\(etag)" } else { "sha256:\(try Checksum.sha256(source, check: check))" }
        self.init(name: name, size: source.size, identity: identity)
    }
}
