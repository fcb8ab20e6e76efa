internal import Foundation

/// Cleans file names sent by clients. A file name is only displayed and never becomes part of a key or path.
enum FileName {
    /// The last path component without control and bidi characters, or nil if nothing is left. Escapes such as `%2e%2e`
    /// are kept, because nothing decodes them.
    static func cleaned(_ text: String) -> String? {
        let last = text.split(whereSeparator: { $0 == "/" || $0 == "\\" }).last ?? ""
        let name = stripped(String(last)).trimmingCharacters(in: .whitespaces)
        return name.isEmpty || name == "." || name == ".." ? nil : name
    }

    /// The text without control characters (C0, DEL, C1) and bidi controls (U+202A…E, U+2066…9).
    static func stripped(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.filter { scalar in
                    switch scalar.value {
                    case 0..<0x20, 0x7F..<0xA0, 0x202A...0x202E, 0x2066...0x2069: false
                    default: true
                    }
                }))
    }
}
