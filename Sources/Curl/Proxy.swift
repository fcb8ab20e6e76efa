/// Proxy settings from environment variables, as in curl(1), but from a given environment. libcurl's own `getenv` would
/// race with `setenv`.
enum Proxy {
    /// The proxy's URL, or empty for none.
    static func url(for scheme: String, _ environment: [String: String]) -> String {
        // A CGI client can set upper-case HTTP_PROXY with a header (httpoxy), so only lower case counts.
        let names = scheme == "https" ? ["https_proxy", "HTTPS_PROXY"] : ["http_proxy"]
        return first(names + ["all_proxy", "ALL_PROXY"], environment) ?? ""
    }

    static func exceptions(_ environment: [String: String]) -> String {
        first(["no_proxy", "NO_PROXY"], environment) ?? ""
    }

    static func first(_ names: [String], _ environment: [String: String]) -> String? {
        names.lazy.compactMap { environment[$0] }.first { !$0.isEmpty }
    }
}
