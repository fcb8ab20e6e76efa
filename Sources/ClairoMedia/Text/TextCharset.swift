internal import Foundation

/// The character sets of subtitles. Most are UTF-8; old files have the set of their language and do not say which.
struct TextCharset: Hashable, Sendable {
    /// The name for people, such as `Windows-1252`.
    let name: String
    private let encoding: String.Encoding

    /// The set that a file in this language has if it is not UTF-8.
    /// - Parameter language: An ISO 639 code, with or without a region.
    init(language: String) {
        let code = language.lowercased().prefix { $0 != "-" && $0 != "_" }
        func foundation(_ number: UInt) -> String.Encoding { String.Encoding(rawValue: 0x8000_0000 | number) }
        // The numbers are CFStringEncodings.
        (name, encoding) =
            switch code {
            case "ru", "rus", "uk", "ukr", "be", "bel", "bg", "bul", "mk", "mkd", "mac", "sr", "srp":
                ("Windows-1251", .windowsCP1251)
            case "pl", "pol", "cs", "ces", "cze", "sk", "slk", "slo", "hu", "hun", "hr", "hrv", "sl", "slv", "ro",
                "ron",
                "rum", "bs", "bos", "sq", "sqi", "alb":
                ("Windows-1250", .windowsCP1250)
            case "el", "ell", "gre": ("Windows-1253", .windowsCP1253)
            case "tr", "tur", "az", "aze": ("Windows-1254", .windowsCP1254)
            case "he", "heb": ("Windows-1255", foundation(0x0505))
            case "ar", "ara", "fa", "fas", "per", "ur", "urd": ("Windows-1256", foundation(0x0506))
            case "et", "est", "lv", "lav", "lt", "lit": ("Windows-1257", foundation(0x0507))
            case "vi", "vie": ("Windows-1258", foundation(0x0508))
            case "th", "tha": ("Windows-874", foundation(0x041D))
            case "ja", "jpn": ("Shift_JIS", .shiftJIS)
            case "ko", "kor": ("EUC-KR", foundation(0x0422))
            case "zh", "zho", "chi", "cmn": ("GB18030", foundation(0x0632))
            default: ("Windows-1252", .windowsCP1252)
            }
    }

    /// Text in the set. Bytes that it does not define become U+FFFD.
    func decode(_ data: Data) -> String {
        if let text = String(data: data, encoding: encoding) { return text }
        // One character after the other, with one or two bytes.
        var text = ""
        var rest = data[...]
        while !rest.isEmpty {
            let length = (1...4).first {
                rest.count >= $0 && String(data: Data(rest.prefix($0)), encoding: encoding) != nil
            }
            text += length.flatMap { String(data: Data(rest.prefix($0)), encoding: encoding) } ?? "\u{FFFD}"
            rest = rest.dropFirst(length ?? 1)
        }
        return text
    }
}

/// Decodes the text of one track, whose parts have one character set.
struct TrackText {
    private let fallback: TextCharset
    /// The set that was guessed for bytes that are not UTF-8; nil if there are none.
    private(set) var guessed: TextCharset?

    /// - Parameter language: The track's language, or `und`.
    init(language: String) { fallback = TextCharset(language: language) }

    /// Text in UTF-16 with a byte order mark, in UTF-8, or in the set of the language.
    mutating func decode(_ data: Data) -> String {
        if data.starts(with: [0xFF, 0xFE]) {
            return String(data: data.dropFirst(2), encoding: .utf16LittleEndian) ?? ""
        }
        if data.starts(with: [0xFE, 0xFF]) {
            return String(data: data.dropFirst(2), encoding: .utf16BigEndian) ?? ""
        }
        if let text = String(validating: data, as: UTF8.self) { return text }
        guessed = fallback
        return fallback.decode(data)
    }
}
