internal import Foundation

/// The names of files as uploaders give them. They are shown and never used as a key or a path.
enum FileName {
    /// The last component of a path, without control characters and what turns the direction of writing; nil where nothing
    /// is left. `%2e%2e` and the like stay as they are: nobody decodes them.
    static func cleaned(_ text: String) -> String? {
        let last = text.split(whereSeparator: { $0 == "/" || $0 == "\\" }).last ?? ""
        let name = stripped(String(last)).trimmingCharacters(in: .whitespaces)
        return name.isEmpty || name == "." || name == ".." ? nil : name
    }

    /// The text without control characters (C0, DEL, C1) and the controls of direction (U+202A…E, U+2066…9).
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
