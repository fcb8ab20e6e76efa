/// No credentials were found. Names each provider that was asked and its reason. Contains no secrets.
public struct AWSCredentialsError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kind of error, which decides whether a retry can help.
    public enum Kind: Sendable, Hashable {
        /// No provider has credentials.
        case missing
        /// A provider is configured but cannot be used: half of a key pair, an unknown profile, an unreadable file.
        case invalid
        /// A provider failed or its service did not answer. A retry may succeed.
        case unavailable
    }

    /// A provider that was asked, and why it returned no credentials.
    public struct Attempt: Sendable, Hashable {
        /// The name of the provider, such as `environment`.
        public var provider: String
        /// Why it returned no credentials.
        public var reason: String
    }

    /// The kind of error.
    public let kind: Kind
    /// The providers in the order in which they were asked. The last one ended the search.
    public let attempts: [Attempt]

    public var description: String {
        "no AWS credentials: " + attempts.map { "\($0.provider): \($0.reason)" }.joined(separator: "; ")
    }
}

/// Why a provider returned no credentials.
enum ProviderFailure: Error {
    /// The provider has no credentials. The next one is asked.
    case nothing(String)
    /// The provider is configured but cannot be used. Ends the search.
    case invalid(String)
    /// The provider failed, perhaps temporarily. Ends the search.
    case unavailable(String)

    var reason: String {
        switch self {
        case .nothing(let reason), .invalid(let reason), .unavailable(let reason): reason
        }
    }
}

/// A source of credentials.
protocol CredentialProvider: Sendable {
    /// The name in error messages.
    var name: String { get }
    /// Asks the source for credentials. Blocks.
    func credentials() throws(ProviderFailure) -> AWSCredentials
}
