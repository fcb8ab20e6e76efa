import Foundation

/// A document of this project: the README or a manual page.
struct ManualPage {
    static let root = (0..<4).reduce(URL(filePath: #filePath)) { url, _ in url.deletingLastPathComponent() }

    /// The documents written by hand.
    static let names = ["README.md", ".github/CONTRIBUTING.md", ".github/SECURITY.md", ".github/CHANGELOG.md"] + manual

    private static let manual: [String] = {
        let names = try? FileManager.default.contentsOfDirectory(atPath: root.appending(path: "man").path)
        return (names ?? []).filter { $0.hasSuffix(".md") }.sorted().map { "man/\($0)" }
    }()

    let name: String
    let text: String

    init(_ name: String) throws {
        self.name = name
        text = try String(contentsOf: Self.root.appending(path: name), encoding: .utf8)
    }

    /// The cells of the tables below a heading, without the header row and code marks.
    func rows(below heading: String) -> [[String]] {
        var rows: [[String]] = []
        var isBelow = false
        var isBody = false
        var isCode = false
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("```") { isCode.toggle() }
            if isCode { continue }
            if line.hasPrefix("#") { isBelow = line.drop { $0 == "#" }.dropFirst() == heading }
            guard isBelow, line.hasPrefix("|") else {
                isBody = false
                continue
            }
            if line.hasPrefix("|--") {
                isBody = true
            } else if isBody {
                // An escaped bar is part of its cell.
                let cells = line.replacing("\\|", with: "\u{0}").split(separator: "|", omittingEmptySubsequences: false)
                rows.append(
                    cells.dropFirst().dropLast().map {
                        $0.replacing("\u{0}", with: "|").replacing("`", with: "")
                            .trimmingCharacters(in: .whitespaces)
                    })
            }
        }
        return rows
    }

    /// The lines between code fences, or all inline code: what a reader may type.
    var code: [String] {
        var code: [String] = []
        var isBlock = false
        for line in text.split(separator: "\n") {
            if line.hasPrefix("```") {
                isBlock.toggle()
            } else if isBlock {
                code.append(String(line))
            } else {
                let parts = line.split(separator: "`", omittingEmptySubsequences: false)
                code += parts.indices.filter { $0 % 2 == 1 }.map { String(parts[$0]) }
            }
        }
        return code
    }
}
