internal import Foundation

/// A URL as it may be shown: without what could be a secret in it.
public enum MaskedURL {
    /// Names of query settings whose values are no secret.
    private static let harmless: Set<Substring> = ["ssl-mode", "ssl-ca", "socket", "defaults-file"]

    /// Everything between the first colon of the user's part and the last `@` becomes `***` (RFC 3986, 3.2.1; a password that
    /// was not encoded may hold any sign), and so does the value of each setting that is not known to be harmless. A user
    /// without a password is a secret too where `hidesUser`, as in a key that stands before a bucket. Of what has no `://` and
    /// is no path, everything before the last `@` may be one.
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

    /// Only `scheme://host:port`, for a URL whose path may be a secret too.
    public static func origin(_ url: String) -> String {
        guard let begin = url.range(of: "://")?.upperBound else { return "***" }
        let authority = url[begin...].prefix { !"/?#".contains($0) }
        return url[..<begin] + String(authority.split(separator: "@").last ?? "")
    }
}
