/// Converts language codes between containers and MP4 boxes.
enum ISO639 {
    private static let threeByTwo = [
        "en": "eng", "de": "deu", "fr": "fra", "es": "spa", "it": "ita", "pt": "por", "nl": "nld", "sv": "swe",
        "da": "dan", "no": "nor", "fi": "fin", "pl": "pol", "cs": "ces", "sk": "slk", "hu": "hun", "ru": "rus",
        "uk": "ukr", "el": "ell", "tr": "tur", "ar": "ara", "he": "heb", "hi": "hin", "ja": "jpn", "ko": "kor",
        "zh": "zho", "vi": "vie", "th": "tha", "id": "ind", "ro": "ron", "bg": "bul",
    ]

    /// A source's language code, or `und`. It becomes part of a folder name, so only characters of language codes are
    /// accepted.
    static func code(_ language: String?) -> String {
        let code = (language ?? "").lowercased()
        let isCode = (2...3).contains(code.utf8.count) && code.utf8.allSatisfy { (97...122).contains($0) }
        return isCode ? code : "und"
    }

    static func threeLetters(_ code: String) -> String { threeByTwo[code] ?? code }
}
