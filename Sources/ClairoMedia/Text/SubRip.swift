internal import Foundation

/// SubRip (SRT): numbered blocks of times and text, in the variants that are found in the world.
enum SubRip {
    /// The cues of a file; nil if no line of it has times.
    ///
    /// A cue ends where the next line with times begins. So empty lines within a text, missing ones between cues, and
    /// wrong numbers do no harm.
    static func cues(_ text: String) -> [Cue]? {
        let lines = TextLine.split(text)
        let timings = lines.indices.compactMap { index in
            lines[index].contains("-->") ? CueTiming(lines[index]).map { (index: index, timing: $0) } : nil
        }
        guard !timings.isEmpty else { return nil }
        return timings.indices.map { number in
            let (index, timing) = timings[number]
            var body = lines[(index + 1)..<(number + 1 < timings.count ? timings[number + 1].index : lines.endIndex)]
            // The number of the next cue.
            if number + 1 < timings.count, let last = body.last, isNumber(last) { body.removeLast() }
            return cue(body.joined(separator: "\n"), from: timing.start, to: timing.end)
        }
    }

    /// A cue from the text of a block, as containers store it.
    static func cue(_ text: String, from start: Int64, to end: Int64) -> Cue {
        let (styled, place) = styled(TextLine.split(text).joined(separator: "\n"))
        return Cue(
            start: start, end: end, settings: place?.settings(lines: styled.lineCount) ?? "", text: styled.markup)
    }

    /// The characters of a tag; longer ones are text.
    private static let longestTag = 200

    private static func isNumber(_ line: String) -> Bool {
        let digits = line.trimmingCharacters(in: .whitespaces)
        return !digits.isEmpty && digits.utf8.allSatisfy { (48...57).contains($0) }
    }

    /// Understands the tags of HTML that the format took over, and the override codes of SubStation Alpha that many
    /// files have. What is no known tag is text: `<3`.
    private static func styled(_ text: String) -> (StyledText, KeypadPlace?) {
        var result = StyledText()
        var open: [StyledText.Style] = []
        var overrides = SubStationOverrides()
        var rest = text[...]
        while let first = rest.first, !result.isFull {
            let style = open.reduce(into: overrides.style) { $0.formUnion($1) }
            switch first {
            case "<":
                guard let end = rest.prefix(longestTag).firstIndex(of: ">"),
                    let tag = Tag(rest[rest.index(after: rest.startIndex)..<end])
                else { break }
                rest = rest[rest.index(after: end)...]
                tag.apply(to: &open, &result, style)
                continue
            case "{":
                guard rest.dropFirst().first == "\\", let end = rest.prefix(longestTag).firstIndex(of: "}")
                else { break }
                overrides.apply(rest[rest.index(after: rest.startIndex)..<end])
                rest = rest[rest.index(after: end)...]
                continue
            case "&":
                guard let entity = Entity(rest) else { break }
                result.append(String(entity.scalar), style)
                rest = rest.dropFirst(entity.length)
                continue
            case "\\":
                guard let code = rest.dropFirst().first, ["N", "n", "h"].contains(code) else { break }
                result.append(code == "h" ? "\u{A0}" : "\n", style)
                rest = rest.dropFirst(2)
                continue
            default: break
            }
            result.append(String(first), style)
            rest = rest.dropFirst()
        }
        return (result, overrides.place)
    }

    /// A tag of HTML.
    private struct Tag {
        private let name: String
        private let isEnd: Bool

        private static let styles: [String: StyledText.Style] = [
            "i": .italic, "em": .italic, "b": .bold, "strong": .bold, "u": .underline,
        ]
        private static let ignored: Set = ["font", "s", "strike", "span", "p", "c"]

        init?(_ text: Substring) {
            let body = text.drop { $0 == "/" || $0 == " " }
            name = body.prefix { $0.isASCII && $0.isLetter }.lowercased()
            isEnd = text.first == "/"
            let known = Self.styles[name] != nil || Self.ignored.contains(name) || name == "br"
            // Attributes follow a space; anything else is text between angle brackets.
            let after = body.dropFirst(name.count).first
            guard known, after == nil || after == " " || after == "/" else { return nil }
        }

        func apply(to open: inout [StyledText.Style], _ text: inout StyledText, _ style: StyledText.Style) {
            if name == "br" { text.append("\n", style) }
            guard let own = Self.styles[name] else { return }
            if !isEnd {
                open.append(own)
            } else if let last = open.lastIndex(of: own) {
                open.remove(at: last)
            }
        }
    }

    /// A character reference of HTML.
    private struct Entity {
        let scalar: Unicode.Scalar
        let length: Int

        private static let names: [String: Unicode.Scalar] = [
            "amp": "&", "lt": "<", "gt": ">", "quot": "\"", "apos": "'", "nbsp": "\u{A0}", "lrm": "\u{200E}",
            "rlm": "\u{200F}",
        ]

        init?(_ text: Substring) {
            guard let end = text.prefix(10).firstIndex(of: ";") else { return nil }
            let name = text[text.index(after: text.startIndex)..<end]
            if name.hasPrefix("#") {
                let digits = name.dropFirst()
                let value =
                    digits.first == "x" || digits.first == "X" ? UInt32(digits.dropFirst(), radix: 16) : UInt32(digits)
                guard let value, value >= 32, let scalar = Unicode.Scalar(value) else { return nil }
                self.scalar = scalar
            } else {
                guard let scalar = Self.names[String(name)] else { return nil }
                self.scalar = scalar
            }
            length = name.count + 2
        }
    }
}
