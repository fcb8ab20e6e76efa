/// No credentials: who was asked, and why each gave none. It shows no secret.
public struct AWSCredentialsError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Whether another attempt can help.
    public enum Kind: Sendable, Hashable {
        /// Nobody has any.
        case missing
        /// Somebody has some that cannot be used: half of a pair, an unknown profile, a file that cannot be read.
        case invalid
        /// They are kept by a service that does not give them now; asking again later may help.
        case unavailable
    }

    /// A source that was asked, and why it gave no credentials.
    public struct Attempt: Sendable, Hashable {
        /// The source, such as `environment`.
        public var provider: String
        /// Why it gave none.
        public var reason: String
    }

    /// Whether another attempt can help.
    public let kind: Kind
    /// In the order they were asked; the last one ended the search.
    public let attempts: [Attempt]

    public var description: String {
        "no AWS credentials: " + attempts.map { "\($0.provider): \($0.reason)" }.joined(separator: "; ")
    }
}

/// Why one provider gives no credentials.
enum ProviderFailure: Error {
    /// It has none, so the next one is asked.
    case nothing(String)
    /// The search ends here.
    case invalid(String)
    case unavailable(String)

    var reason: String {
        switch self {
        case .nothing(let reason), .invalid(let reason), .unavailable(let reason): reason
        }
    }
}

/// One place where credentials may be.
protocol CredentialProvider: Sendable {
    /// As an error names it.
    var name: String { get }
    /// Blocks.
    func credentials() throws(ProviderFailure) -> AWSCredentials
}
