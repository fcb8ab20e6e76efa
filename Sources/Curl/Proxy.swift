/// Reads proxy settings from environment variables as curl(1) does, but from a given environment: libcurl's own calls
/// of `getenv` would race with `setenv`.
enum Proxy {
    /// The URL of the proxy, or an empty string for none.
    static func url(for scheme: String, _ environment: [String: String]) -> String {
        // HTTP_PROXY is ignored: in a CGI program, a client can set it with the header Proxy (httpoxy).
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
