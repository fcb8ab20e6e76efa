public import AWSSigning
public import ClairoCore
internal import Curl
internal import Foundation

/// Opens object stores by URL.
public enum StoreURL {
    /// - Parameters:
    ///   - url: `file:DIR` or `s3://BUCKET/PREFIX`.
    ///   - environment: The environment variables, which provide AWS settings and credentials.
    ///   - delivery: How S3 delivers the objects of an output; nil for a store of other objects.
    ///   - credentials: Returns the credentials for S3, before the last ones expire; nil for those of the environment.
    ///   - observe: Called for each attempt of an S3 request.
    /// - Throws: `configuration` (78) if the URL is not a store.
    public static func open(
        _ url: String, environment: [String: String], delivery: ObjectDelivery? = nil,
        stop: StopRequest = StopRequest(), credentials: (@Sendable () -> AWSCredentials?)? = nil,
        observe: (@Sendable (S3Event) -> Void)? = nil
    ) throws(ClairoError) -> any DurableStore {
        if let folder = folder(url) { return DirectoryStore(path: folder) }
        if isS3(url) {
            let token = Cancellation()
            stop.onCancel { token.cancel() }
            var options = S3Options()
            options.delivery = delivery
            options.observe = observe
            options.credentials = credentials
            return try S3Store(url: url, environment: environment, options: options, cancellation: token)
        }
        throw .configuration(
            "\(MaskedURL.text(url, hidesUser: true)) is not a store URL",
            advice: "Use file:DIR or s3://BUCKET/PREFIX.")
    }

    /// Returns whether a name is a URL of a bucket, a prefix or an object in S3. Other names on the command line are paths.
    public static func isS3(_ name: String) -> Bool { name.hasPrefix(s3) }

    /// Returns the URL of an S3 bucket.
    public static func bucket(_ name: String) -> String { s3 + name }

    private static let s3 = "s3://"

    /// Returns the folder of a `file:` URL in any form (RFC 8089), or nil for another URL.
    public static func folder(_ url: String) -> String? {
        guard url.hasPrefix("file:") else { return nil }
        var rest = url.dropFirst(5)
        if rest.hasPrefix("//localhost/") { rest = rest.dropFirst(11) }
        if rest.hasPrefix("///") { return decoded(rest.dropFirst(2)) }
        guard !rest.isEmpty, !rest.hasPrefix("//") else { return nil }
        return String(rest)
    }

    /// Returns the URL of a local file, whose path is `SystemText`: the URL encodes the path's bytes.
    static func file(_ file: URL) -> String {
        let bytes = SystemText.bytes(file.path)
        return bytes.elementsEqual(file.path.utf8) ? file.absoluteString : "file://" + PercentEncoding.path(bytes)
    }

    /// Decodes the percent encoding of a path, whose bytes need not be UTF-8.
    private static func decoded(_ path: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = SystemText.bytes(String(path))[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let code = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16), rest.count >= 2,
                code != 0
            else { return nil }
            bytes.append(code)
            rest = rest.dropFirst(2)
        }
        return SystemText.string(bytes)
    }
}
