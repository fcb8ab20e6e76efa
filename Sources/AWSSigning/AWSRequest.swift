internal import OpenSSL

public import struct Foundation.Data

/// An HTTP request to an AWS service or a compatible server, before or after signing.
///
/// Path and query are not encoded. `encodedPath` and `encodedQuery` return the forms that are signed and sent. A client
/// must send both unchanged: it must not remove dot segments or follow redirects.
public struct AWSRequest: Sendable, Hashable {
    /// A query parameter, not encoded.
    public struct QueryItem: Sendable, Hashable {
        /// The name of the parameter.
        public var name: String
        /// The value of the parameter; empty if it has none.
        public var value: String

        public init(_ name: String, _ value: String = "") {
            self.name = name
            self.value = value
        }
    }

    /// A header field.
    public struct Header: Sendable, Hashable {
        /// The name of the field.
        public var name: String
        /// The value of the field.
        public var value: String

        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// How the body is covered by the signature.
    public enum Payload: Sendable, Hashable {
        /// The body's SHA-256 in lower-case hexadecimal.
        case sha256(String)
        /// The body is not signed. S3 accepts this over TLS and in presigned URLs.
        case unsigned

        /// The payload of a request without a body.
        public static let empty = Payload.sha256("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")

        public init(_ body: Data) { self = .sha256(Hexadecimal.text(Digest.sha256(body))) }

        var text: String {
            switch self {
            case .sha256(let hash): hash
            case .unsigned: "UNSIGNED-PAYLOAD"
            }
        }
    }

    /// The HTTP method, such as `PUT`.
    public var method: String
    /// `http` or `https`.
    public var scheme: String
    /// The value of the `Host` header: the host, and the port unless it is the scheme's default.
    public var host: String
    /// The path with a leading slash, not encoded.
    public var path: String
    /// The query parameters, not encoded, in any order.
    public var query: [QueryItem]
    /// The header fields without `Host`, which comes from `host`. All are signed, except a few that proxies may change.
    /// A client may send further fields, which are not signed. Values are ASCII.
    public var headers: [Header]
    /// How the body is covered by the signature.
    public var payload: Payload

    public init(
        method: String, scheme: String = "https", host: String, path: String = "/", query: [QueryItem] = [],
        headers: [Header] = [], payload: Payload = .empty
    ) {
        self.method = method
        self.scheme = scheme
        self.host = host
        self.path = path
        self.query = query
        self.headers = headers
        self.payload = payload
    }

    /// The path as it is sent.
    public var encodedPath: String { path.isEmpty ? "/" : PercentEncoding.path(path) }

    /// The query as it is sent: sorted, with a `=` after each name, even if there is no value.
    public var encodedQuery: String {
        query
            .map { (name: PercentEncoding.component($0.name), value: PercentEncoding.component($0.value)) }
            .sorted { ($0.name, $0.value) < ($1.name, $1.value) }
            .map { "\($0.name)=\($0.value)" }
            .joined(separator: "&")
    }

    /// The URL that the request is sent to.
    public var url: String { "\(scheme)://\(host)\(encodedPath)" + (query.isEmpty ? "" : "?\(encodedQuery)") }
}
