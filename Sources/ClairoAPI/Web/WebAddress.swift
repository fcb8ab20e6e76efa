/// `scheme://host[:port][/path]`, without user, query and fragment. Scheme and host are in lower case; a port that is
/// the scheme's default is left out, as in a browser's header `Origin`.
struct WebAddress: Sendable, Hashable {
    let scheme: String
    /// `host[:port]`.
    let authority: String
    /// Empty, or `/` and more, without a slash at the end.
    let path: String

    var origin: String { "\(scheme)://\(authority)" }

    /// Returns nil if the text has another form.
    init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count >= 3, parts[0].hasSuffix(":"), parts[1].isEmpty else { return nil }
        let scheme = parts[0].dropLast().lowercased()
        guard let first = scheme.utf8.first, Self.isLetter(first),
            scheme.utf8.allSatisfy({ Self.isLetter($0) || Self.isDigit($0) || "+-.".utf8.contains($0) }),
            let authority = Self.authority(parts[2].lowercased(), scheme: scheme)
        else { return nil }
        var path = parts.count == 4 ? "/\(parts[3])" : ""
        while path.hasSuffix("/") { path.removeLast() }
        guard path.utf8.allSatisfy({ (0x21...0x7E).contains($0) && !"?#\"<>\\^`{|}".utf8.contains($0) }) else {
            return nil
        }
        (self.scheme, self.authority, self.path) = (scheme, authority, path)
    }

    private static func authority(_ text: String, scheme: String) -> String? {
        var (host, port) = (text[...], Substring())
        // The colons of an IPv6 address are in brackets.
        if let colon = text.lastIndex(of: ":"), text[colon...].firstIndex(of: "]") == nil {
            (host, port) = (text[..<colon], text[text.index(after: colon)...])
            guard let number = UInt16(port), number > 0, port.utf8.allSatisfy(isDigit) else { return nil }
            port = Substring(String(number))
        }
        if host.hasPrefix("[") {
            guard host.hasSuffix("]"), host.count > 2,
                host.dropFirst().dropLast().utf8.allSatisfy({ "0123456789abcdef:.".utf8.contains($0) })
            else { return nil }
        } else {
            guard !host.isEmpty, host.utf8.allSatisfy({ isLetter($0) || isDigit($0) || "-._".utf8.contains($0) }) else {
                return nil
            }
        }
        let isDefault = (scheme == "https" && port == "443") || (scheme == "http" && port == "80")
        return port.isEmpty || isDefault ? String(host) : "\(host):\(port)"
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (97...122).contains(byte) || (65...90).contains(byte) }

    private static func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }
}
