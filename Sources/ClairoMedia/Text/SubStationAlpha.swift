internal import Foundation

/// SubStation Alpha and Advanced SubStation Alpha (SSA, ASS). Of the styling, bold, italic, underline, alignment and
/// position are kept. Drawings are left out.
struct SubStationAlpha {
    /// What an event takes from its style.
    private struct Style {
        var text: StyledText.Style = []
        var place = KeypadPlace(2)
    }

    private var styles: [String: Style] = [:]
    /// The size of the frame to which positions refer.
    private var size: (width: Double, height: Double) = (384, 288)
    private var format = ["layer", "start", "end", "style", "name", "marginl", "marginr", "marginv", "effect", "text"]

    /// The characters between braces; longer ones are text.
    private static let longestBlock = 10_000

    /// The fields of a packet in Matroska, which has the times itself.
    private static let packetFormat = [
        "readorder", "layer", "style", "name", "marginl", "marginr", "marginv", "effect", "text",
    ]

    /// - Parameter header: The file up to its events, as containers store it.
    init(header: String) {
        read(TextLine.split(header)) { _ in }
    }

    /// The cues of a file; nil if it has no events.
    static func cues(_ text: String) -> [Cue]? {
        let lines = TextLine.split(text)
        guard lines.contains(where: { $0.trimmingCharacters(in: .whitespaces).lowercased() == "[events]" }) else {
            return nil
        }
        var cues: [Cue] = []
        var script = SubStationAlpha(header: "")
        script.read(lines) { cues.append($0) }
        return cues
    }

    /// The cue of a packet in Matroska: `ReadOrder,Layer,Style,Name,MarginL,MarginR,MarginV,Effect,Text`.
    func cue(packet: String, from start: Int64, to end: Int64) -> Cue? {
        fields(of: packet, Self.packetFormat).map { cue($0, from: start, to: end) }
    }

    // MARK: Lines

    private mutating func read(_ lines: [String], event: (Cue) -> Void) {
        var section = ""
        var styleFormat: [String] = []
        for line in lines {
            let line = line.trimmingCharacters(in: .whitespaces)
            if line.hasPrefix("["), line.hasSuffix("]") {
                section = line.lowercased()
                continue
            }
            guard let colon = line.firstIndex(of: ":") else { continue }
            let key = line[..<colon].trimmingCharacters(in: .whitespaces).lowercased()
            let value = String(line[line.index(after: colon)...].drop { $0 == " " })
            switch (section, key) {
            case ("[script info]", "playresx"): if let width = Self.size(value) { size.width = width }
            case ("[script info]", "playresy"): if let height = Self.size(value) { size.height = height }
            case ("[v4+ styles]", "format"), ("[v4 styles]", "format"): styleFormat = Self.names(value)
            case ("[v4+ styles]", "style"), ("[v4 styles]", "style"):
                read(style: value, styleFormat, isLegacy: section == "[v4 styles]")
            case ("[events]", "format"):
                let names = Self.names(value)
                // The text may have commas, so it is the last field.
                if names.last == "text" { format = names }
            case ("[events]", "dialogue"):
                guard let fields = fields(of: value, format), let start = fields["start"].flatMap(CueTiming.time),
                    let end = fields["end"].flatMap(CueTiming.time)
                else { continue }
                event(cue(fields, from: start, to: end))
            default: break
            }
        }
    }

    private static func size(_ text: String) -> Double? {
        Double(text.trimmingCharacters(in: .whitespaces)).flatMap { $0 >= 1 && $0 <= 100_000 ? $0 : nil }
    }

    private static func names(_ line: String) -> [String] {
        line.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces).lowercased() }
    }

    private mutating func read(style line: String, _ format: [String], isLegacy: Bool) {
        guard styles.count < 10_000, let fields = fields(of: line, format), let name = fields["name"] else { return }
        var style = Style()
        func isOn(_ field: String) -> Bool { fields[field].flatMap { Int($0) }.map { $0 != 0 } ?? false }
        if isOn("bold") { style.text.insert(.bold) }
        if isOn("italic") { style.text.insert(.italic) }
        if isOn("underline") { style.text.insert(.underline) }
        if let number = fields["alignment"].flatMap({ Int($0) }) {
            style.place = isLegacy ? KeypadPlace(legacy: number) : KeypadPlace(number)
        }
        styles[name] = style
    }

    /// The values of a line by the names of a format; nil if there are too few.
    private func fields(of line: String, _ format: [String]) -> [String: String]? {
        let values = line.split(separator: ",", maxSplits: max(format.count - 1, 0), omittingEmptySubsequences: false)
        guard !format.isEmpty, values.count == format.count else { return nil }
        return Dictionary(
            zip(format, values).map { name, value in
                (name, name == "text" ? String(value) : value.trimmingCharacters(in: .whitespaces))
            }, uniquingKeysWith: { first, _ in first })
    }

    // MARK: Text

    private func cue(_ fields: [String: String], from start: Int64, to end: Int64) -> Cue {
        // A star before the name is a remnant of old editors.
        let name = fields["style"].map { $0.hasPrefix("*") ? String($0.dropFirst()) : $0 } ?? "Default"
        let style = styles[name] ?? styles["Default"] ?? Style()
        var overrides = SubStationOverrides(style: style.text)
        var styled = StyledText()
        var rest = (fields["text"] ?? "")[...]
        while let first = rest.first, !styled.isFull {
            if first == "{", let end = rest.prefix(Self.longestBlock).firstIndex(of: "}") {
                overrides.apply(rest[rest.index(after: rest.startIndex)..<end]) { styles[$0]?.text }
                rest = rest[rest.index(after: end)...]
                continue
            }
            var length = 1
            var shown = String(first)
            if first == "\\", let code = rest.dropFirst().first, ["N", "n", "h"].contains(code) {
                shown = code == "N" ? "\n" : code == "h" ? "\u{A0}" : " "
                length = 2
            }
            if !overrides.isDrawing { styled.append(shown, overrides.style) }
            rest = rest.dropFirst(length)
        }
        return Cue(
            start: start, end: end,
            settings: settings(overrides, place: overrides.place ?? style.place, lines: styled.lineCount),
            text: styled.markup)
    }

    private func settings(_ overrides: SubStationOverrides, place: KeypadPlace?, lines: Int) -> String {
        guard let place else { return "" }
        guard let point = overrides.position else { return place.settings(lines: lines) }
        return place.settings(
            atX: point.x / size.width * 100, y: point.y / size.height * 100, lines: lines)
    }
}

/// The override codes of SubStation Alpha in the text of one event: `{\i1\an8\pos(10,20)}`.
struct SubStationOverrides {
    /// The style of the text that follows.
    private(set) var style: StyledText.Style
    private let initial: StyledText.Style
    /// Nil if the event has none of its own. The first one counts.
    private(set) var place: KeypadPlace?
    /// In the script's pixels.
    private(set) var position: (x: Double, y: Double)?
    /// Whether what follows draws shapes.
    private(set) var isDrawing = false

    init(style: StyledText.Style = []) {
        self.style = style
        initial = style
    }

    /// Applies the codes between braces. Text between them is a comment.
    /// - Parameter named: The style with a name.
    mutating func apply(_ block: Substring, named: (String) -> StyledText.Style? = { _ in nil }) {
        for code in Self.codes(block) { apply(code: code, named: named) }
    }

    /// The codes without their backslashes. Those within parentheses, as of an animation, belong to the code before.
    private static func codes(_ block: Substring) -> [Substring] {
        var codes: [Substring] = []
        var start: Substring.Index?
        var depth = 0
        for index in block.indices {
            switch block[index] {
            case "(": depth += 1
            case ")": depth = max(0, depth - 1)
            case "\\" where depth == 0:
                if let start { codes.append(block[start..<index]) }
                start = block.index(after: index)
            default: break
            }
        }
        if let start { codes.append(block[start...]) }
        return codes
    }

    private mutating func apply(code: Substring, named: (String) -> StyledText.Style?) {
        func number(after name: String) -> Int? {
            guard code.hasPrefix(name) else { return nil }
            return Int(code.dropFirst(name.count).filter { $0 != " " })
        }
        func set(_ part: StyledText.Style, _ isOn: Bool) {
            if isOn { style.insert(part) } else { style.remove(part) }
        }
        // A code without a number goes back to the style of the event.
        func toggle(_ name: String, _ part: StyledText.Style) -> Bool {
            if code == name {
                set(part, initial.contains(part))
            } else if let value = number(after: name) {
                // The weight of a font is a number, too.
                set(part, value == 1 || value >= 600)
            } else {
                return false
            }
            return true
        }
        if toggle("b", .bold) || toggle("i", .italic) || toggle("u", .underline) { return }
        if let value = number(after: "p") {
            isDrawing = value > 0
        } else if let value = number(after: "an") {
            place = place ?? KeypadPlace(value)
        } else if let value = number(after: "a") {
            place = place ?? KeypadPlace(legacy: value)
        } else if code.hasPrefix("pos(") || code.hasPrefix("move(") {
            let values = code.drop { $0 != "(" }.dropFirst().prefix { $0 != ")" }.split(separator: ",").compactMap {
                Double($0.filter { $0 != " " })
            }
            if position == nil, values.count >= 2, values[0].isFinite, values[1].isFinite {
                position = (values[0], values[1])
            }
        } else if code.hasPrefix("r"), !code.hasPrefix("rnd") {
            style = named(String(code.dropFirst())) ?? initial
        }
    }
}
