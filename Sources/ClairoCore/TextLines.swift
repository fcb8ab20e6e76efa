public import Foundation

/// Reads files of lines: tokens, properties, passwords.
///
/// A line ends with LF, CRLF or CR, so that files written on Windows work. A byte order mark at the start is dropped. All
/// other bytes of a line are kept. No error shows content of a file, because it may be a secret.
public enum TextLines {
    /// The maximum size of a file in bytes.
    public static let largestFile = 1 << 20

    /// The lines of a file. A line end at the end of the file starts no other line.
    /// - Parameter kind: What the file is, such as `token file`, for error messages.
    /// - Throws: `configuration` (78) if the file cannot be read, is too large, or is not text.
    public static func read(_ path: String, kind: String) throws(ClairoError) -> [String] {
        let name = "The \(kind) \(path)"
        guard let content = SystemFile.contents(path, limit: largestFile + 1) else {
            throw .configuration(
                "\(name) cannot be read", advice: "Check that it exists and that clairo may read it.")
        }
        return try split(content, name: name)
    }

    /// The secret that is the only line of a file. Empty lines around it are ignored.
    /// - Throws: The same as `read`, and for a file without a secret or with several lines.
    public static func secret(in path: String, kind: String) throws(ClairoError) -> String {
        let lines = try read(path, kind: kind).drop(while: \.isEmpty)
        guard let secret = lines.first else { throw .configuration("The \(kind) \(path) is empty") }
        guard lines.dropFirst().allSatisfy(\.isEmpty) else {
            throw .configuration(
                "The \(kind) \(path) has more than one line", advice: "Write the secret alone into it.")
        }
        return secret
    }

    /// Splits the content of a file.
    /// - Parameter name: The file, as the subject of an error message.
    /// - Throws: `configuration` (78) if the content is too large or is not text in UTF-8.
    public static func split(_ content: Data, name: String) throws(ClairoError) -> [String] {
        guard content.count <= largestFile else {
            throw .configuration("\(name) is larger than \(largestFile >> 20) MiB")
        }
        var rest = content.starts(with: byteOrderMark) ? content.dropFirst(byteOrderMark.count) : content
        var lines: [String] = []
        while !rest.isEmpty {
            let line = rest.prefix { $0 != lineFeed && $0 != carriageReturn }
            guard !line.contains(0), let text = String(validating: line, as: UTF8.self) else {
                throw .configuration(
                    "\(name) is not text in UTF-8: line \(lines.count + 1)", advice: "Save it as UTF-8.")
            }
            lines.append(text)
            rest = rest.dropFirst(line.count)
            rest = rest.dropFirst(rest.starts(with: [carriageReturn, lineFeed]) ? 2 : 1)
        }
        return lines
    }

    private static let lineFeed: UInt8 = 0x0A
    private static let carriageReturn: UInt8 = 0x0D
    private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
}
