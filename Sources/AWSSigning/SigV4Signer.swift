public import Foundation
internal import OpenSSL

/// Signs requests with AWS Signature Version 4.
///
/// Signing has three steps: the canonical request describes the request, the string to sign adds the time and the
/// service, and a key derived from the secret signs that string. S3 differs from other services in three ways: paths
/// are signed as they are sent (for other services they are normalised and encoded again), the header
/// `x-amz-content-sha256` is required, and presigned URLs do not cover the body. Source:
/// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
public struct SigV4Signer: Sendable {
    /// The credentials for signing.
    public var credentials: AWSCredentials
    /// The region in the signature.
    public var region: String
    /// The service's name in signatures, such as `s3`, `ecs`, `ecr`, `sts`.
    public var service: String

    /// The maximum lifetime of a presigned URL in seconds: a week.
    public static let longestExpiry = 604_800

    public init(credentials: AWSCredentials, region: String, service: String) {
        self.credentials = credentials
        self.region = region
        self.service = service
    }

    /// Signs a request. Adds or replaces the headers `Host`, `X-Amz-Date`, `X-Amz-Content-Sha256` for S3,
    /// `X-Amz-Security-Token` for temporary credentials, and `Authorization`.
    public func sign(_ request: AWSRequest, at date: Date) -> AWSRequest {
        var signed = request
        let own = ["host", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token", "authorization"]
        signed.headers.removeAll { own.contains($0.name.lowercased()) }
        let instant = Instant(date)
        signed.headers.append(.init("Host", request.host))
        signed.headers.append(.init("X-Amz-Date", instant.time))
        if isS3 { signed.headers.append(.init("X-Amz-Content-Sha256", request.payload.text)) }
        if let token = credentials.sessionToken { signed.headers.append(.init("X-Amz-Security-Token", token)) }
        let canonical = canonicalRequest(signed, payload: request.payload)
        let signature = signature(of: stringToSign(canonical.text, at: instant), on: instant.day)
        signed.headers.append(
            .init(
                "Authorization",
                "\(Self.algorithm) Credential=\(credentials.accessKeyID)/\(scope(instant)), "
                    + "SignedHeaders=\(canonical.signedHeaders), Signature=\(signature)"))
        return signed
    }

    /// Creates a URL that works without credentials until it expires. A client must send the headers of `request`
    /// unchanged, such as the `Content-Type` and `Content-Length` of a PUT, because they are signed too.
    /// - Parameter seconds: The lifetime of the URL, from 1 to `longestExpiry`. It also ends when the credentials
    ///   expire.
    public func presign(_ request: AWSRequest, at date: Date, expiresIn seconds: Int) -> String {
        var signed = request
        signed.headers.removeAll { $0.name.lowercased() == "host" }
        signed.headers.append(.init("Host", request.host))
        let instant = Instant(date)
        let names = Set(canonicalHeaders(signed).map(\.name)).sorted().joined(separator: ";")
        signed.query += [
            .init("X-Amz-Algorithm", Self.algorithm),
            .init("X-Amz-Credential", "\(credentials.accessKeyID)/\(scope(instant))"),
            .init("X-Amz-Date", instant.time),
            .init("X-Amz-Expires", "\(seconds)"),
            .init("X-Amz-SignedHeaders", names),
        ]
        if let token = credentials.sessionToken { signed.query.append(.init("X-Amz-Security-Token", token)) }
        let canonical = canonicalRequest(signed, payload: isS3 ? .unsigned : request.payload)
        let signature = signature(of: stringToSign(canonical.text, at: instant), on: instant.day)
        return "\(signed.url)&X-Amz-Signature=\(signature)"
    }

    // MARK: The three steps

    private static let algorithm = "AWS4-HMAC-SHA256"

    private var isS3: Bool { service == "s3" }

    func canonicalRequest(_ request: AWSRequest, payload: AWSRequest.Payload) -> (text: String, signedHeaders: String) {
        let headers = canonicalHeaders(request)
        let names = headers.map(\.name).joined(separator: ";")
        let path = isS3 ? request.encodedPath : PercentEncoding.path(Self.normalised(request.encodedPath))
        let lines =
            [request.method, path, request.encodedQuery] + headers.map { "\($0.name):\($0.value)" }
            + ["", names, payload.text]
        return (lines.joined(separator: "\n"), names)
    }

    func stringToSign(_ canonicalRequest: String, at instant: Instant) -> String {
        let hash = Hexadecimal.text(Digest.sha256(canonicalRequest.utf8))
        return [Self.algorithm, instant.time, scope(instant), hash].joined(separator: "\n")
    }

    private func signature(of text: String, on day: String) -> String {
        let key = [day, region, service, "aws4_request"].reduce(
            Array("AWS4\(credentials.secretAccessKey)".utf8)
        ) {
            AuthenticationCode.sha256(of: $1.utf8, key: $0)
        }
        return Hexadecimal.text(AuthenticationCode.sha256(of: text.utf8, key: key))
    }

    private func scope(_ instant: Instant) -> String { "\(instant.day)/\(region)/\(service)/aws4_request" }

    // MARK: Canonical forms

    /// Headers that are not signed, because proxies and clients may change them.
    private static let unsignedHeaders: Set<String> = [
        "connection", "expect", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer",
        "transfer-encoding", "upgrade", "user-agent", "x-amzn-trace-id",
    ]

    /// The headers, sorted by lower-case name. Repeated headers are joined with commas in their order, and each run of
    /// white space becomes one space.
    private func canonicalHeaders(_ request: AWSRequest) -> [(name: String, value: String)] {
        var values: [String: [String]] = [:]
        for header in request.headers {
            let name = header.name.lowercased()
            if Self.unsignedHeaders.contains(name) { continue }
            values[name, default: []].append(header.value.split(whereSeparator: \.isWhitespace).joined(separator: " "))
        }
        return values.sorted { $0.key < $1.key }.map { ($0.key, $0.value.joined(separator: ",")) }
    }

    /// Removes empty segments and dot segments, and keeps a trailing slash.
    private static func normalised(_ path: String) -> String {
        var segments: [Substring] = []
        for segment in path.split(separator: "/") where segment != "." {
            if segment == ".." { _ = segments.popLast() } else { segments.append(segment) }
        }
        return "/" + segments.joined(separator: "/") + (path.hasSuffix("/") && !segments.isEmpty ? "/" : "")
    }

    /// A time in the format of the signature.
    struct Instant {
        /// `20130524T000000Z`
        let time: String
        /// `20130524`
        var day: String { String(time.prefix(8)) }

        init(_ date: Date) {
            time = date.formatted(
                Date.ISO8601FormatStyle(dateSeparator: .omitted, timeSeparator: .omitted, timeZone: .gmt))
        }
    }
}
