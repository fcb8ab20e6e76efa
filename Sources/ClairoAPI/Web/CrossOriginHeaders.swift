internal import HTTPTypes

/// The response headers that let scripts of other origins use the API, such as tus-js-client and Uppy (CORS). There are
/// no cookies and no `Access-Control-Allow-Credentials`: scripts send a bearer token.
///
/// Source: https://fetch.spec.whatwg.org/#http-cors-protocol
struct CrossOriginHeaders {
    /// The request headers that scripts may send.
    static let requestHeaders = [
        "Authorization", "Content-Disposition", "Content-Type", "Tus-Resumable", "Upload-Checksum", "Upload-Concat",
        "Upload-Defer-Length", "Upload-Length", "Upload-Metadata", "Upload-Offset", "X-File-Name",
        "X-HTTP-Method-Override", "X-Request-ID", "X-Requested-With",
    ]
    /// The response headers that scripts may read.
    static let responseHeaders = [
        "Allow", "Clairo-Video-ID", "Location", "Retry-After", "Tus-Checksum-Algorithm", "Tus-Extension",
        "Tus-Max-Size", "Tus-Resumable", "Tus-Version", "Upload-Defer-Length", "Upload-Expires", "Upload-Length",
        "Upload-Metadata", "Upload-Offset",
    ]
    static let methods = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
    /// Seconds that a browser may keep the answer to a preflight request. Chromium keeps none longer.
    static let preflightSeconds = 7200

    let allowed: AllowedOrigins

    /// The headers to add to the response.
    func headers(for request: HTTPRequest) -> HTTPFields {
        if allowed.isEmpty { return [:] }
        var headers: HTTPFields = [:]
        // Caches must not show a response to one origin to another, nor one without an origin to any.
        if !allowed.includesAll { headers[.vary] = "Origin" }
        guard let origin = request.headerFields[.origin], allowed.contains(origin) else { return headers }
        headers[.accessControlAllowOrigin] = allowed.includesAll ? "*" : origin
        if request.method == .options, request.headerFields[.accessControlRequestMethod] != nil {
            headers[.accessControlAllowMethods] = Self.methods.joined(separator: ", ")
            headers[.accessControlAllowHeaders] = Self.requestHeaders.joined(separator: ", ")
            headers[.accessControlMaxAge] = String(Self.preflightSeconds)
        } else {
            headers[.accessControlExposeHeaders] = Self.responseHeaders.joined(separator: ", ")
        }
        return headers
    }
}
