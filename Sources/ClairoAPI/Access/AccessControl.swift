internal import ClairoCore
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import Synchronization

/// Authenticates callers and limits their request rate. Without tokens, also rejects requests from web pages of other
/// sites.
final class AccessControl: Sendable {
    private let tokens: Mutex<TokenList?>
    private let limiter: RateLimiter
    private let isLoopback: Bool

    /// - Parameters:
    ///   - tokens: The accepted tokens, or nil for anonymous access.
    ///   - isLoopback: Whether only this machine can connect. Anonymous requests must then name `localhost` or an IP
    ///     address as their host.
    init(tokens: TokenList?, limiter: RateLimiter, isLoopback: Bool) {
        self.tokens = Mutex(tokens)
        self.limiter = limiter
        self.isLoopback = isLoopback
    }

    func replace(_ list: TokenList) { tokens.withLock { $0 = list } }

    /// Authenticates a request and counts it against the caller's rate.
    /// - Throws: 401 for a missing or unknown token, 403 for a request from another site, 429 above the rate.
    func admit(_ request: Request, from channel: any Channel) throws(APIError) -> Caller {
        let address = channel.remoteAddress?.ipAddress ?? "local"
        guard let list = tokens.withLock({ $0 }) else {
            try checkSite(request)
            try checkRate("address:\(address)")
            return .anonymous
        }
        let parts = (request.headers[.authorization] ?? "").split(separator: " ", omittingEmptySubsequences: true)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else {
            try checkRate("address:\(address)")
            throw APIError(
                .unauthorized, "unauthorized", "Send a token: Authorization: Bearer TOKEN",
                headers: [.wwwAuthenticate: "Bearer realm=\"clairo\""])
        }
        guard let caller = list.caller(token: parts[1]) else {
            try checkRate("address:\(address)")
            throw APIError(
                .unauthorized, "unauthorized", "Unknown token",
                headers: [.wwwAuthenticate: "Bearer realm=\"clairo\", error=\"invalid_token\""])
        }
        try checkRate(caller.owner)
        return caller
    }

    private func checkRate(_ key: String) throws(APIError) {
        guard let seconds = limiter.admit(key) else { return }
        throw APIError(
            .tooManyRequests, "too_many_requests", "Too many requests; try again later",
            headers: [.retryAfter: String(max(1, Int(seconds.rounded(.up))))])
    }

    /// Rejects requests that a web page of another site sends through the user's browser (CSRF, DNS rebinding).
    private func checkSite(_ request: Request) throws(APIError) {
        let authority = (request.head.authority ?? request.headers[.host] ?? "").lowercased()
        if let origin = request.headers[.origin]?.lowercased() {
            let site = origin.split(separator: "//", maxSplits: 1).last.map(String.init) ?? origin
            guard site == authority else { throw Self.foreignSite }
        }
        if isLoopback, !authority.isEmpty {
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
