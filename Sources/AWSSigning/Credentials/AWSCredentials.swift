public import struct Foundation.Date

/// Credentials for signing requests. The description shows neither the secret nor the token.
public struct AWSCredentials: Sendable, Hashable {
    /// The id of the access key, which is not secret.
    public var accessKeyID: String
    /// The key that signs. It must not be logged.
    public var secretAccessKey: String
    /// The session token of temporary credentials.
    public var sessionToken: String?
    /// When the credentials expire, or nil if they are permanent.
    public var expiration: Date?

    public init(
        accessKeyID: String, secretAccessKey: String, sessionToken: String? = nil, expiration: Date? = nil
    ) {
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
        self.expiration = expiration
    }
}

extension AWSCredentials: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The last characters of the access key's id, which identify the credentials and are not secret.
    public var description: String { "AWS credentials …\(accessKeyID.suffix(4))" }

    public var debugDescription: String { description }

    /// Shows no more than the description, for `dump` and string interpolation.
    public var customMirror: Mirror { Mirror(self, children: [("accessKeyID", "…\(accessKeyID.suffix(4))")]) }
}
