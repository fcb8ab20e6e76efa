public import struct Foundation.Date

/// What a request is signed with. Its description shows neither the secret nor the token.
public struct AWSCredentials: Sendable, Hashable {
    /// Id of the access key; not secret.
    public var accessKeyID: String
    /// The key that signs. It must not be logged.
    public var secretAccessKey: String
    /// Goes along with temporary credentials.
    public var sessionToken: String?
    /// When they stop working; nil for those that stay.
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
    /// The key's identifier says whose credentials they are and is no secret; its last characters are enough.
    public var description: String { "AWS credentials …\(accessKeyID.suffix(4))" }

    public var debugDescription: String { description }

    /// `dump` and string interpolation of what holds credentials show no more than the description.
    public var customMirror: Mirror { Mirror(self, children: [("accessKeyID", "…\(accessKeyID.suffix(4))")]) }
}
