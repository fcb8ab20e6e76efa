/// Text in runs of one style, which every format of subtitles becomes before it is WebVTT cue text.
///
/// Formats mark styles in ways that overlap, nest or do not end. Runs have none of these problems, so tags are only made
/// at the end: each is closed, in the right order.
struct StyledText: Hashable, Sendable {
    struct Style: OptionSet, Hashable, Sendable {
        let rawValue: Int
        static let bold = Style(rawValue: 1)
        static let italic = Style(rawValue: 2)
        static let underline = Style(rawValue: 4)

        /// The tags of WebVTT, from the outermost to the innermost.
        fileprivate static let tags: [(style: Style, name: String)] = [(bold, "b"), (italic, "i"), (underline, "u")]
    }

    /// Longer texts are cut; nobody reads them.
    static let longest = 10_000

    private var content: [(scalar: Unicode.Scalar, style: Style)] = []

    /// Appends text. Lines end with LF.
    mutating func append(_ text: some StringProtocol, _ style: Style = []) {
        for scalar in text.unicodeScalars where content.count < Self.longest { content.append((scalar, style)) }
    }

    var isEmpty: Bool { content.isEmpty }
    /// Whether it takes no more text.
    var isFull: Bool { content.count >= Self.longest }

    /// The number of lines that `markup` has.
    var lineCount: Int { lines.count }

    /// The lines without white space around them, and without empty lines.
    private var lines: [ArraySlice<(scalar: Unicode.Scalar, style: Style)>] {
        content.split { $0.scalar == "\n" || $0.scalar == "\r" }.compactMap { line in
            func isSpace(_ position: (scalar: Unicode.Scalar, style: Style)) -> Bool {
                position.scalar.properties.isWhitespace
            }
            guard let first = line.firstIndex(where: { !isSpace($0) }),
                let last = line.lastIndex(where: { !isSpace($0) })
            else { return nil }
            return line[first...last]
        }
    }

    /// WebVTT cue text.
    var markup: String {
        var text = ""
        var open: [(style: Style, name: String)] = []
        func close(_ keeping: Style) {
            while let outermost = open.firstIndex(where: { !keeping.contains($0.style) }) {
                while open.count > outermost { text += "</\(open.removeLast().name)>" }
            }
        }
        for (number, line) in lines.enumerated() {
            if number > 0 {
                close(line.first?.style ?? [])
                text += "\n"
            }
            for (scalar, style) in line {
                close(style)
                let opened = open.reduce(into: Style()) { $0.insert($1.style) }
                for tag in Style.tags where style.contains(tag.style) && !opened.contains(tag.style) {
                    text += "<\(tag.name)>"
                    open.append(tag)
                }
                switch scalar {
                case "&": text += "&amp;"
                case "<": text += "&lt;"
                case ">": text += "&gt;"
                case "\0": text.unicodeScalars.append("\u{FFFD}")
                default: text.unicodeScalars.append(scalar)
                }
            }
        }
        close([])
        return text
    }

    static func == (a: Self, b: Self) -> Bool { a.markup == b.markup }
    func hash(into hasher: inout Hasher) { hasher.combine(markup) }
}

/// Where a text is shown, as WebVTT cue settings.
enum CuePlacement {
    /// The approximate height of a line of text, in percent of the frame.
    static let lineHeight = 5.33

    /// The settings of a place.
    /// - Parameters:
    ///   - line: The top of the first line in percent of the frame's height; nil for the bottom of the frame.
    ///   - position: The edge or the center of the text, as `align` says, in percent of the frame's width.
    ///   - align: `left`, `center` or `right`.
    static func settings(line: Double? = nil, position: Double? = nil, align: String = "center") -> String {
        [
            line.map { "line:\(percent($0))" }, position.map { "position:\(percent($0))" },
            align == "center" ? nil : "align:\(align)",
        ].compactMap { $0 }.joined(separator: " ")
    }

    private static func percent(_ value: Double) -> String {
        let bounded = value.isFinite ? Swift.min(Swift.max(value, 0), 100) : 0
        let hundredths = Int((bounded * 100).rounded())
        let fraction = hundredths % 100
        if fraction == 0 { return "\(hundredths / 100)%" }
        return "\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction)%"
    }
}

/// The nine places of a text, numbered as on a numeric keypad: 1 bottom left, 5 middle, 9 top right.
struct KeypadPlace: Hashable, Sendable {
    var number: Int

    init?(_ number: Int) {
        guard (1...9).contains(number) else { return nil }
        self.number = number
    }

    /// The numbers of SubStation Alpha: 1 to 3 at the bottom, 5 to 7 at the top, 9 to 11 in the middle.
    init?(legacy number: Int) {
        guard number & 3 != 0, (1...11).contains(number) else { return nil }
        self.init(number & 3 + (number < 4 ? 0 : number < 8 ? 6 : 3))
    }

    enum Row { case bottom, middle, top }
    var row: Row { number <= 3 ? .bottom : number <= 6 ? .middle : .top }
    var align: String { ["left", "center", "right"][(number - 1) % 3] }

    /// The settings of a text that is at this place.
    /// - Parameter lines: The number of its lines.
    func settings(lines: Int) -> String {
        switch row {
        case .bottom: CuePlacement.settings(align: align)
        case .top: CuePlacement.settings(line: 0, align: align)
        case .middle:
            CuePlacement.settings(line: 50 - Double(lines) * CuePlacement.lineHeight / 2, align: align)
        }
    }

    /// The settings of a text with this edge at a point.
    /// - Parameters:
    ///   - x: In percent of the frame's width.
    ///   - y: In percent of the frame's height.
    func settings(atX x: Double, y: Double, lines: Int) -> String {
        let height = Double(lines) * CuePlacement.lineHeight
        let top = row == .top ? y : row == .middle ? y - height / 2 : y - height
        return CuePlacement.settings(line: top, position: x, align: align)
    }
}
