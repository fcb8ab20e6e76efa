/// A store that lets others reach its objects without credentials.
public protocol PresigningStore: Sendable {
    /// A URL with which anybody may do one thing for a while, without credentials; nil where the store has no such URLs.
    func presignedURL(for access: PresignedAccess, expiresIn seconds: Int) throws(ClairoError) -> String?
}

/// The one thing that a presigned URL allows.
public enum PresignedAccess: Sendable, Hashable {
    /// Read an object.
    case get(ObjectKey)
    /// Write an object.
    case put(ObjectKey)
    /// Exactly `size` bytes.
    case putPart(number: Int, size: Int64, MultipartUpload)
}
