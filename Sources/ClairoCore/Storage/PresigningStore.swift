/// A store that can give others access to its objects without credentials.
public protocol PresigningStore: Sendable {
    /// A URL that allows anyone one operation for a limited time, without credentials; nil if unsupported.
    func presignedURL(for access: PresignedAccess, expiresIn seconds: Int) throws(ClairoError) -> String?
}

/// The operation that a presigned URL allows.
public enum PresignedAccess: Sendable, Hashable {
    /// Read an object.
    case get(ObjectKey)
    /// Write an object.
    case put(ObjectKey)
    /// Exactly `size` bytes.
    case putPart(number: Int, size: Int64, MultipartUpload)
}
