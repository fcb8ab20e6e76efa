internal import ClairoCore
internal import HTTPTypes
internal import NIOCore
internal import Synchronization

/// Authenticates callers and limits their request rate. Without tokens, also rejects requests from web pages of other
/// sites, unless they are allowed.
final class AccessControl: Sendable {
    private let tokens: Mutex<TokenList?>
    private let limiter: RateLimiter
    private let isLoopback: Bool
    private let publicURL: PublicURL?
    private let allowedOrigins: AllowedOrigins

    /// - Parameters:
    ///   - tokens: The accepted tokens, or nil for anonymous access.
    ///   - isLoopback: Whether only this machine can connect. Anonymous requests must then name `localhost`, an IP
    ///     address or the public URL's host as their host.
    ///   - allowedOrigins: Other sites whose web pages may send anonymous requests.
    init(
        tokens: TokenList?, limiter: RateLimiter, isLoopback: Bool, publicURL: PublicURL? = nil,
        allowedOrigins: AllowedOrigins = AllowedOrigins()
    ) {
        self.tokens = Mutex(tokens)
        self.limiter = limiter
        self.isLoopback = isLoopback
        self.publicURL = publicURL
        self.allowedOrigins = allowedOrigins
    }

    func replace(_ list: TokenList) { tokens.withLock { $0 = list } }

    /// Authenticates a request and counts it against the caller's rate.
    /// - Parameter authority: The host and port that the request names.
    /// - Throws: 401 for a missing or unknown token, 403 for a request from another site, 429 above the rate.
    func admit(_ request: HTTPRequest, authority: String, from channel: any Channel) throws(APIError) -> Caller {
        let address = "address:\(channel.remoteAddress?.ipAddress ?? "local")"
        guard let list = tokens.withLock({ $0 }) else {
            try checkSite(request, authority: authority)
            try checkRate(address)
            return .anonymous(at: address)
        }
        let parts = (request.headerFields[.authorization] ?? "").split(separator: " ", omittingEmptySubsequences: true)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else {
            try checkRate(address)
            throw APIError(
                .unauthorized, "unauthorized", "Send a token: Authorization: Bearer TOKEN",
                headers: [.wwwAuthenticate: "Bearer realm=\"clairo\""])
        }
        guard let caller = list.caller(token: parts[1]) else {
            try checkRate(address)
            throw APIError(
                .unauthorized, "unauthorized", "Unknown token",
                headers: [.wwwAuthenticate: "Bearer realm=\"clairo\", error=\"invalid_token\""])
        }
        try checkRate(caller.share)
        return caller
    }

    private func checkRate(_ key: String) throws(APIError) {
        guard let seconds = limiter.admit(key) else { return }
        throw APIError(
            .tooManyRequests, "too_many_requests", "Too many requests; try again later",
            headers: [.retryAfter: String(max(1, Int(seconds.rounded(.up))))])
    }

    /// Rejects requests that a web page of another site sends through the user's browser (CSRF, DNS rebinding).
    private func checkSite(_ request: HTTPRequest, authority: String) throws(APIError) {
        if let origin = request.headerFields[.origin]?.lowercased() {
            let site = origin.split(separator: "//", maxSplits: 1).last.map(String.init) ?? origin
            guard site == authority || origin == publicURL?.address.origin || allowedOrigins.contains(origin) else {
                throw Self.foreignSite
            }
        }
        if isLoopback, !authority.isEmpty, authority != publicURL?.address.authority {
            var host = authority[...]
            if host.hasPrefix("[") {
                host = host.dropFirst().prefix { $0 != "]" }
            } else {
                host = host.prefix { $0 != ":" }
            }
            let isAddress = host.contains(":") || host.allSatisfy { $0.isNumber || $0 == "." }
            guard host == "localhost" || isAddress else { throw Self.foreignSite }
        }
    }

    private static let foreignSite = APIError(
        .forbidden, "foreign_site", "Web pages of other sites cannot use this server without a token")
}
