public import struct Foundation.Date

/// Credentials for signing requests. The description shows neither the secret nor the token.
public struct AWSCredentials: Sendable, Hashable {
    /// Id of the access key; not secret.
    public var accessKeyID: String
    /// The key that signs. It must not be logged.
    public var secretAccessKey: String
    /// The session token of temporary credentials.
    public var sessionToken: String?
    /// When they expire; nil for permanent ones.
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
    /// The key id is not a secret; its last characters identify the credentials.
    public var description: String { "AWS credentials …\(accessKeyID.suffix(4))" }

    public var debugDescription: String { description }

    /// Keeps `dump` and string interpolation from showing more than the description.
    public var customMirror: Mirror { Mirror(self, children: [("accessKeyID", "…\(accessKeyID.suffix(4))")]) }
}
