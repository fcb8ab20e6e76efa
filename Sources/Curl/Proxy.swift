/// The usual environment variables, as curl(1) reads them, but from a given environment: libcurl's own look into the
/// process's would not be safe beside a `setenv`.
enum Proxy {
    /// Empty for none.
    static func url(for scheme: String, _ environment: [String: String]) -> String {
        // HTTP_PROXY in capitals is what a CGI client can set with a header (httpoxy), so only the small one counts.
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
