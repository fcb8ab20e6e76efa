/// A header value with parameters, such as `form-data; name="file"; filename="a b.mov"` (RFC 9110 section 5.6.6).
struct HeaderValue: Equatable {
    /// In lower case.
    var value: String
    /// Values by lower-case name.
    var parameters: [String: String]

    /// Returns nil if the value is malformed or a parameter is repeated.
    init?(_ text: String) {
        var bytes = Array(text.utf8)[...]
        func skipSpaces() { bytes = bytes.drop { $0 == 32 || $0 == 9 } }
        skipSpaces()
        let value = bytes.prefix { $0 != UInt8(ascii: ";") && $0 != 32 && $0 != 9 }
        guard !value.isEmpty else { return nil }
        self.value = String(decoding: value, as: UTF8.self).lowercased()
        parameters = [:]
        bytes = bytes.dropFirst(value.count)
        while true {
            skipSpaces()
            guard let separator = bytes.first else { return }
            guard separator == UInt8(ascii: ";") else { return nil }
            bytes = bytes.dropFirst()
            skipSpaces()
            if bytes.isEmpty { return }
            let name = bytes.prefix(while: Self.isToken)
            bytes = bytes.dropFirst(name.count)
            guard !name.isEmpty, bytes.first == UInt8(ascii: "=") else { return nil }
            bytes = bytes.dropFirst()
            guard let content = Self.content(&bytes) else { return nil }
            let key = String(decoding: name, as: UTF8.self).lowercased()
            guard parameters.updateValue(content, forKey: key) == nil else { return nil }
        }
    }

    /// The file name: `filename*` (RFC 8187) if present, otherwise `filename`.
    var fileName: String? {
        if let extended = parameters["filename*"] {
            let parts = extended.split(separator: "'", maxSplits: 2, omittingEmptySubsequences: false)
            if parts.count == 3, parts[0].lowercased() == "utf-8", let name = PercentCoding.decode(parts[2]) {
                return name
            }
        }
        return parameters["filename"]
    }

    /// Parses a quoted string or a token. Inside quotes, only `\"` and `\\` are escapes, because old browsers send
    /// unescaped Windows paths.
    /// - Returns: Nil if the text is malformed.
    private static func content(_ bytes: inout ArraySlice<UInt8>) -> String? {
        guard bytes.first == UInt8(ascii: "\"") else {
            let token = bytes.prefix { $0 != UInt8(ascii: ";") && $0 != 32 && $0 != 9 }
            bytes = bytes.dropFirst(token.count)
            return token.isEmpty || token.contains(UInt8(ascii: "\"")) ? nil : String(decoding: token, as: UTF8.self)
        }
        bytes = bytes.dropFirst()
        var content: [UInt8] = []
        while let byte = bytes.popFirst() {
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: content, as: UTF8.self)
            case UInt8(ascii: "\\"):
                if let next = bytes.first, next == UInt8(ascii: "\"") || next == UInt8(ascii: "\\") {
                    content.append(next)
                    bytes = bytes.dropFirst()
                } else {
                    content.append(byte)
                }
            default: content.append(byte)
            }
        }
        return nil
    }

    /// Whether a byte may occur in a token (RFC 9110 section 5.6.2).
    static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}

enum PercentCoding {
    /// Decodes `%XX` escapes. Returns nil if an escape is malformed or the result is not UTF-8.
    static func decode(_ text: some StringProtocol) -> String? {
        var bytes = Array(text.utf8)[...]
        var decoded: [UInt8] = []
        while let first = bytes.first {
            if first == UInt8(ascii: "%") {
                guard let value = byte(bytes) else { return nil }
                decoded.append(value)
                bytes = bytes.dropFirst(3)
            } else {
                decoded.append(first)
                bytes = bytes.dropFirst()
            }
        }
        return String(validating: decoded, as: UTF8.self)
    }

    /// The byte of the escape `%XX` that `bytes` starts with, or nil if it is malformed.
    static func byte(_ bytes: ArraySlice<UInt8>) -> UInt8? {
        let digits = bytes.dropFirst().prefix(2)
        // The conversion would also accept a sign.
        guard digits.count == 2, digits.first != UInt8(ascii: "+") else { return nil }
        return UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
    }
}
