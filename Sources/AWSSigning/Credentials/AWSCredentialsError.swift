/// No credentials were found: the providers asked, and the reason of each. Contains no secrets.
public struct AWSCredentialsError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Whether another attempt can help.
    public enum Kind: Sendable, Hashable {
        /// No provider has credentials.
        case missing
        /// A provider's credentials are unusable: half of a pair, an unknown profile, an unreadable file.
        case invalid
        /// A service that has credentials does not answer. A retry may succeed.
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
    /// In the order they were asked. The last one ended the search.
    public let attempts: [Attempt]

    public var description: String {
        "no AWS credentials: " + attempts.map { "\($0.provider): \($0.reason)" }.joined(separator: "; ")
    }
}

/// Why a provider returned no credentials.
enum ProviderFailure: Error {
    /// It has none. The next provider is asked.
    case nothing(String)
    /// Ends the search.
    case invalid(String)
    case unavailable(String)

    var reason: String {
        switch self {
        case .nothing(let reason), .invalid(let reason), .unavailable(let reason): reason
        }
    }
}

/// A source of credentials.
protocol CredentialProvider: Sendable {
    /// The name in errors.
    var name: String { get }
    /// Blocks.
    func credentials() throws(ProviderFailure) -> AWSCredentials
}
