internal import AWSSigning
public import ClairoCore
public import Curl
internal import Foundation

/// How one service of AWS differs from the others.
public struct AWSService: Sendable {
    /// For people, such as `S3`.
    public let name: String
    /// In signatures, such as `s3`.
    public let signingName: String
    /// A URL that may stand in `endpointVariable`.
    public let endpointExample: String
    /// Reads why the service refused a request. The method is the request's.
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

    /// The environment variable that names another endpoint.
    public var endpointVariable: String { "AWS_ENDPOINT_URL_\(signingName.uppercased())" }
}

/// Where a service's requests go.
public struct AWSEndpoint: Sendable, Hashable, CustomStringConvertible {
    /// `http` or `https`.
    public var scheme: String
    /// As in the `Host` header.
    public var host: String
    /// In front of each request's path, without a slash at its end; not encoded.
    public var basePath: String

    public init(scheme: String = "https", host: String, basePath: String = "") {
        self.scheme = scheme
        self.host = host
        self.basePath = basePath
    }

    /// - Throws: `configuration` (78) where the text is not the URL of an endpoint.
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

    /// The domain that AWS's own endpoints in a region belong to.
    public static func domain(of region: String) -> String {
        region.hasPrefix("cn-") ? "amazonaws.com.cn" : "amazonaws.com"
    }

    /// `scheme://host`, for errors.
    public var description: String { "\(scheme)://\(host)" }
}
