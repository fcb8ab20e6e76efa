internal import AWSSigning
internal import ClairoCore
internal import Foundation

/// `s3://bucket/prefix`, as a setting or an argument has it. What is percent-encoded is decoded, so that the URLs that we
/// print can be given back.
struct S3Address: Hashable {
    let bucket: String
    /// Empty, or with a slash at its end.
    let prefix: String

    init(_ url: String) throws(ClairoError) {
        guard url.lowercased().hasPrefix("s3://") else {
            throw .configuration(
                "\(MaskedURL.text(url, hidesUser: true)) is not an S3 URL",
                advice: "Write it as s3://bucket or s3://bucket/prefix.")
        }
        let parts = url.dropFirst(5).split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let bucket = String(parts[0])
        // AWS allows less, but older buckets and other servers have capitals and underscores.
        // https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
        let isName = bucket.utf8.allSatisfy { byte in
            Character(UnicodeScalar(byte)).isLetter && byte < 128 || (48...57).contains(byte)
                || "-._".utf8.contains(byte)
        }
        guard (1...255).contains(bucket.utf8.count), isName, bucket != ".", bucket != ".." else {
            throw .configuration(
                "\(MaskedURL.text(url, hidesUser: true)) does not name a bucket",
                advice: "Write it as s3://bucket or s3://bucket/prefix.")
        }
        self.bucket = bucket
        let path = parts.count > 1 ? String(parts[1]) : ""
        let trimmed = (path.removingPercentEncoding ?? path).drop { $0 == "/" }
        let end = trimmed.lastIndex { $0 != "/" }
        prefix = end.map { trimmed[...$0] + "/" } ?? ""
    }
}

/// Where a bucket's requests go.
struct S3Endpoint: Hashable {
    let scheme: String
    /// As in the `Host` header.
    let host: String
    /// In front of the key, without a slash at its end; not encoded.
    let basePath: String

    /// - Parameter endpoint: a server that is not AWS's own region endpoint. It is asked in path style, as self-hosted
    ///   servers mostly know no other, unless the settings say otherwise.
    init(bucket: String, region: String, endpoint: String?, style: AWSSettings.AddressingStyle?) throws(ClairoError) {
        guard let endpoint else {
            let domain = region.hasPrefix("cn-") ? "amazonaws.com.cn" : "amazonaws.com"
            scheme = "https"
            // No certificate holds for a name with more dots.
            let isVirtual = style != .path && !bucket.contains(".") && bucket == bucket.lowercased()
            host = isVirtual ? "\(bucket).s3.\(region).\(domain)" : "s3.\(region).\(domain)"
            basePath = isVirtual ? "" : "/\(bucket)"
            return
        }
        guard let parts = URLComponents(string: endpoint), let scheme = parts.scheme?.lowercased(),
            ["http", "https"].contains(scheme), let name = parts.host, !name.isEmpty, parts.user == nil,
            parts.query == nil
        else {
            throw .configuration(
                "The S3 endpoint is not a URL that can be used",
                advice: "Set AWS_ENDPOINT_URL_S3 to something like https://s3.example.com or http://127.0.0.1:9000.")
        }
        self.scheme = scheme
        let isOwnPort = parts.port == nil || parts.port == (scheme == "http" ? 80 : 443)
        let place = isOwnPort ? name : "\(name):\(parts.port ?? 0)"
        let path = parts.path.hasSuffix("/") ? String(parts.path.dropLast()) : parts.path
        host = style == .virtual ? "\(bucket).\(place)" : place
        basePath = style == .virtual ? path : "\(path)/\(bucket)"
    }

    /// `scheme://host`, for errors.
    var description: String { "\(scheme)://\(host)" }
}
