internal import AWSSigning
public import ClairoCore
public import Curl
internal import Foundation

/// The properties of an AWS service.
public struct AWSService: Sendable {
    /// The name for display, such as `S3`.
    public let name: String
    /// The name in signatures, such as `s3`.
    public let signingName: String
    /// An example value of `endpointVariable`.
    public let endpointExample: String
    /// Parses an error reply to a request with this method.
    let refusal: @Sendable (_ reply: HTTPReply, _ method: String) -> AWSRefusal

    public init(
        name: String, signingName: String, endpointExample: String,
        refusal: @escaping @Sendable (_ reply: HTTPReply, _ method: String) -> AWSRefusal
    ) {
        self.name = name
        self.signingName = signingName
        self.endpointExample = endpointExample
        self.refusal = refusal
    }

    /// The environment variable for an endpoint other than AWS's.
    public var endpointVariable: String { "AWS_ENDPOINT_URL_\(signingName.uppercased())" }
}

/// The address of a service.
public struct AWSEndpoint: Sendable, Hashable, CustomStringConvertible {
    /// `http` or `https`.
    public var scheme: String
    /// The host as in the `Host` header, with the port unless it is the scheme's default.
    public var host: String
    /// A path that precedes the path of each request, without a trailing slash, not encoded.
    public var basePath: String

    public init(scheme: String = "https", host: String, basePath: String = "") {
        self.scheme = scheme
        self.host = host
        self.basePath = basePath
    }

    /// Parses an endpoint URL.
    /// - Throws: `configuration` (78) if the text is not an `http` or `https` URL with a host, or if it has a user or a
    ///   query.
    public init(url: String, of service: AWSService) throws(ClairoError) {
        guard let parts = URLComponents(string: url), let scheme = parts.scheme?.lowercased(),
            ["http", "https"].contains(scheme), let name = parts.host, !name.isEmpty, parts.user == nil,
            parts.query == nil
        else {
            throw .configuration(
                "The \(service.name) endpoint is not a valid URL",
                advice: "Set \(service.endpointVariable) to a URL such as \(service.endpointExample).")
        }
        let isDefaultPort = parts.port == nil || parts.port == (scheme == "http" ? 80 : 443)
        self.scheme = scheme
        host = isDefaultPort ? name : "\(name):\(parts.port ?? 0)"
        basePath = parts.path.hasSuffix("/") ? String(parts.path.dropLast()) : parts.path
    }

    /// The domain of AWS's own endpoints in a region.
    public static func domain(of region: String) -> String {
        region.hasPrefix("cn-") ? "amazonaws.com.cn" : "amazonaws.com"
    }

    /// `scheme://host`, for errors.
    public var description: String { "\(scheme)://\(host)" }
}
