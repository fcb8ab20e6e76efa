public import ClairoCore
internal import HTTPTypes

/// The URL that clients use for this server, if a proxy in front changes it: scheme, host and the path that the proxy
/// removes.
public struct PublicURL: Sendable, Hashable {
    let address: WebAddress

    /// Parses a URL such as `https://example.org/media`.
    /// - Throws: `usage` (64) if the text is not an HTTP URL, or has a user, a query or a fragment.
    public init(_ text: String) throws(ClairoError) {
        guard let address = WebAddress(text), ["http", "https"].contains(address.scheme) else {
            throw .usage(
                "\(MaskedURL.text(text)) is not a public URL",
                advice: "Give a URL such as https://example.org/media, without user, query and fragment.")
        }
        self.address = address
    }
}

/// How a response names another resource of the API.
///
/// With a public URL, names are absolute URLs. Otherwise they depend on the way of the request. Directly from a client,
/// the name is an absolute path. Through a proxy it is relative to the request's URL, because the proxy may have
/// removed the beginning of the path. A client that cannot resolve a relative name needs the public URL. What a
/// forwarding header says is never used, only that there is one: a relative name is right in any case.
///
/// Source: https://www.rfc-editor.org/rfc/rfc3986#section-5.2
struct ResourceReference {
    let publicURL: PublicURL?

    /// - Parameter path: The absolute path of the resource in this API.
    func text(_ path: String, for request: HTTPRequest) -> String {
        if let address = publicURL?.address { return "\(address.origin)\(address.path)\(path)" }
        guard Self.isForwarded(request), let base = request.path?.prefix(while: { $0 != "?" }) else { return path }
        return Self.relative(path, to: base)
    }

    /// Whether a proxy has sent the request. Proxies that add none of these headers speak HTTP/1.0, such as nginx by
    /// default.
    private static func isForwarded(_ request: HTTPRequest) -> Bool {
        if request.isHTTP10 { return true }
        return request.headerFields.contains { field in
            let name = field.name.canonicalName
            return name == "via" || name == "forwarded" || name == "x-real-ip" || name.hasPrefix("x-forwarded-")
        }
    }

    private static func relative(_ path: String, to base: Substring) -> String {
        let folders = base.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        let target = path.split(separator: "/", omittingEmptySubsequences: false)
        let common = zip(folders, target.dropLast()).prefix { $0 == $1 }.count
        let steps = repeatElement(Substring(".."), count: folders.count - common) + target.dropFirst(common)
        return steps.joined(separator: "/")
    }
}
