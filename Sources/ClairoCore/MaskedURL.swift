internal import Foundation

/// Masks possible secrets in URLs for display.
public enum MaskedURL {
    /// Query parameters whose values are not secret.
    private static let harmless: Set<Substring> = ["ssl-mode", "ssl-ca", "socket", "defaults-file"]

    /// Replaces by `***` everything between the first colon of the userinfo and the last `@` (RFC 3986, 3.2.1; an
    /// unencoded password may contain any character), and the value of each query parameter that is not known to be
    /// harmless. With `hidesUser`, a user without a password is masked too, for example a key in front of a bucket. In
    /// text without `://` that is not a path, everything before the last `@` is masked.
    public static func text(_ url: String, hidesUser: Bool = false) -> String {
        let begin = url.range(of: "://")?.upperBound
        if begin == nil, ["/", ".", "file:", "sqlite:"].contains(where: url.hasPrefix) { return url }
        var rest = url[(begin ?? url.startIndex)...]
        var text = begin.map { String(url[..<$0]) } ?? ""
        if begin == nil, let at = rest.lastIndex(of: "@") {
            text = "***"
            rest = rest[at...]
        } else if let at = rest.lastIndex(of: "@") {
            let user = rest[..<at]
            if hidesUser {
                text += "***"
            } else if let colon = user.firstIndex(of: ":") {
                text += user[..<colon] + ":***"
            } else {
                text += user
            }
            rest = rest[at...]
        }
        guard let question = rest.firstIndex(of: "?") else { return text + rest }
        text += rest[...question]
        let settings = rest[rest.index(after: question)...].split(separator: "&", omittingEmptySubsequences: false)
        return text
            + settings.map { setting in
                let name = setting.prefix { $0 != "=" }
                return harmless.contains(name) || name == setting ? String(setting) : "\(name)=***"
            }.joined(separator: "&")
    }

    /// Only `scheme://host:port`, for a URL whose path may be secret too.
    public static func origin(_ url: String) -> String {
        guard let begin = url.range(of: "://")?.upperBound else { return "***" }
        let authority = url[begin...].prefix { !"/?#".contains($0) }
        return url[..<begin] + String(authority.split(separator: "@").last ?? "")
    }
}
