internal import Foundation

/// Decodes the captions of one field of CEA-608 (ANSI/CTA-608-E), line 21: two channels, each with a screen of 15 rows
/// of 32 columns. Text mode and extended data services are left out.
///
/// A cue is what a screen shows from one change to the next. Pop-on captions are loaded out of sight and shown at once.
/// Roll-up captions grow letter by letter; a line is shown whole from its beginning, so that cues follow lines.
struct CEA608Field {
    /// 0 for field 1, whose channels are CC1 and CC2; 1 for field 2 with CC3 and CC4.
    private let field: Int
    private var channels = [Screen(), Screen()]
    /// The channel of the last control code; nil while the data is not captions.
    private var current: Int?
    private var lastControl: (UInt8, UInt8)?

    init(field: Int) { self.field = field }

    /// Takes two bytes.
    /// - Parameters:
    ///   - time: Milliseconds.
    ///   - emit: Receives finished cues, with the number of the channel: 1 for CC1 to 4 for CC4.
    mutating func take(_ first: UInt8, _ second: UInt8, at time: Int64, emit: (Int, Cue) -> Void) {
        guard Self.hasOddParity(second) else { return }
        // An unreadable character is shown as a block; an unreadable code is none.
        let a = Self.hasOddParity(first) ? first & 0x7F : 0x7F
        let b = second & 0x7F
        switch a {
        case 0x10...0x1F:
            // Control codes are sent twice, in case one is lost.
            if let last = lastControl, last == (a, b) {
                lastControl = nil
                return
            }
            lastControl = (a, b)
            let channel = Int(a >> 3 & 1)
            let number = field * 2 + channel + 1
            // Text mode belongs to the channel too, until its next caption.
            current = channel
            channels[channel].control(a & 0x17, b, at: time) { emit(number, $0) }
        case 0x01...0x0F:
            // Extended data services, in field 2; the captions go on with a control code.
            lastControl = nil
            if field == 1 { current = nil }
        case 0x20...0x7F:
            lastControl = nil
            guard let current else { return }
            channels[current].append(CEA608Characters.basic(a), at: time)
            if b >= 0x20 { channels[current].append(CEA608Characters.basic(b), at: time) }
        default:
            if b >= 0x20, let current { channels[current].append(CEA608Characters.basic(b), at: time) }
        }
    }

    /// Ends what is shown.
    mutating func finish(at time: Int64, emit: (Int, Cue) -> Void) {
        for channel in channels.indices {
            channels[channel].flush(at: time) { emit(field * 2 + channel + 1, $0) }
        }
    }

    private static func hasOddParity(_ byte: UInt8) -> Bool { byte.nonzeroBitCount % 2 == 1 }
}

/// The memories of one channel.
private struct Screen {
    private enum Mode { case popOn, rollUp, paintOn, text }

    private var mode: Mode?
    private var displayed = CaptionGrid()
    private var hidden = CaptionGrid()
    private var row = 15
    private var column = 0
    private var style: StyledText.Style = []
    private var rollRows = 2
    /// When what is displayed began to be so; nil if nothing is.
    private var since: Int64?

    mutating func append(_ scalar: Unicode.Scalar, at time: Int64) {
        switch mode {
        case nil, .text: return
        case .popOn: hidden.put(scalar, style, row: row, column: column)
        case .rollUp, .paintOn:
            displayed.put(scalar, style, row: row, column: column)
            since = since ?? time
        }
        column = min(column + 1, CaptionGrid.columns - 1)
    }

    /// - Parameter a: The first byte without the bit of the channel.
    mutating func control(_ a: UInt8, _ b: UInt8, at time: Int64, emit: (Cue) -> Void) {
        switch (a, b) {
        case (0x11, 0x20...0x2F):
            // A change of style in the middle of a row takes the place of a space.
            append(" ", at: time)
            style = b & 0x0E == 0x0E ? .italic : []
            if b & 1 != 0 { style.insert(.underline) }
        case (0x11, 0x30...0x3F): append(CEA608Characters.special(b), at: time)
        case (0x12, 0x20...0x3F), (0x13, 0x20...0x3F):
            // Follows a simple character, for decoders that do not know it.
            backspace()
            append(CEA608Characters.extended(a, b), at: time)
        case (0x14, 0x20...0x2F), (0x15, 0x20...0x2F): command(b, at: time, emit: emit)
        case (0x17, 0x21...0x23): column = min(column + Int(b - 0x20), CaptionGrid.columns - 1)
        case (0x10...0x17, 0x40...0x7F): address(a, b, at: time)
        default: break
        }
    }

    /// A preamble address code: a row, and a style or an indent.
    private mutating func address(_ a: UInt8, _ b: UInt8, at time: Int64) {
        let rows: [UInt8: (Int, Int)] = [
            0x10: (11, 11), 0x11: (1, 2), 0x12: (3, 4), 0x13: (12, 13), 0x14: (14, 15), 0x15: (5, 6), 0x16: (7, 8),
            0x17: (9, 10),
        ]
        guard let pair = rows[a] else { return }
        let addressed = b & 0x20 == 0 ? pair.0 : pair.1
        if mode == .rollUp, addressed != row { displayed.move(from: row, to: addressed, rows: rollRows) }
        row = addressed
        let isIndent = b & 0x10 != 0
        column = isIndent ? Int(b >> 1 & 7) * 4 : 0
        style = !isIndent && b & 0x0E == 0x0E ? .italic : []
        if b & 1 != 0 { style.insert(.underline) }
    }

    private mutating func command(_ b: UInt8, at time: Int64, emit: (Cue) -> Void) {
        switch b {
        case 0x20: mode = .popOn
        case 0x21: backspace()
        case 0x24: erase(from: column, count: CaptionGrid.columns)
        case 0x25...0x27:
            if mode != .rollUp {
                flush(at: time, emit: emit)
                (displayed, hidden) = (CaptionGrid(), CaptionGrid())
                (row, column) = (15, 0)
            }
            mode = .rollUp
            rollRows = Int(b - 0x23)
        case 0x29:
            mode = .paintOn
        case 0x2A, 0x2B: mode = .text
        case 0x2C:
            flush(at: time, emit: emit)
            displayed = CaptionGrid()
        case 0x2D where mode == .rollUp:
            flush(at: time, emit: emit)
            displayed.rollUp(base: row, rows: rollRows)
            column = 0
            since = displayed.isEmpty ? nil : time
        case 0x2E: hidden = CaptionGrid()
        case 0x2F:
            flush(at: time, emit: emit)
            (displayed, hidden) = (hidden, displayed)
            mode = .popOn
            since = displayed.isEmpty ? nil : time
        default: break
        }
    }

    private mutating func backspace() {
        guard column > 0 else { return }
        column -= 1
        erase(from: column, count: 1)
    }

    /// Erases characters of the row in the memory that is written.
    private mutating func erase(from column: Int, count: Int) {
        switch mode {
        case nil, .text: break
        case .popOn: hidden.clear(row: row, from: column, count: count)
        case .rollUp, .paintOn: displayed.clear(row: row, from: column, count: count)
        }
    }

    /// Emits what is displayed until now.
    mutating func flush(at time: Int64, emit: (Cue) -> Void) {
        defer { since = nil }
        guard let since, time > since else { return }
        displayed.cues(from: since, to: time).forEach(emit)
    }
}

/// Rows and columns of characters, as captions place them.
struct CaptionGrid {
    static let rows = 15
    static let columns = 32

    private struct Cell {
        var scalar: Unicode.Scalar
        var style: StyledText.Style
    }
    /// By row, from 1, and column, from 0.
    private var cells: [Int: [Int: Cell]] = [:]

    var isEmpty: Bool { cells.values.allSatisfy { $0.values.allSatisfy { $0.scalar == " " } } }

    mutating func put(_ scalar: Unicode.Scalar, _ style: StyledText.Style, row: Int, column: Int) {
        cells[row, default: [:]][column] = Cell(scalar: scalar, style: style)
    }

    mutating func clear(row: Int, from column: Int, count: Int) {
        cells[row] = cells[row]?.filter { !(column..<column + count).contains($0.key) }
    }

    /// Moves the rows up to a base row by one, and drops what leaves the window.
    mutating func rollUp(base: Int, rows: Int) {
        let window = (base - rows + 1)...base
        cells = Dictionary(
            cells.compactMap { row, content in window.contains(row - 1) ? (row - 1, content) : nil },
            uniquingKeysWith: { first, _ in first })
    }

    /// Moves a window of rows to another base row.
    mutating func move(from base: Int, to other: Int, rows: Int) {
        cells = Dictionary(
            cells.compactMap { row, content in
                let moved = row - base + other
                return (base - rows + 1...base).contains(row) && moved >= 1 ? (moved, content) : nil
            }, uniquingKeysWith: { first, _ in first })
    }

    /// A cue for each group of rows that follow one another.
    func cues(from start: Int64, to end: Int64) -> [Cue] {
        var groups: [[Int]] = []
        for row in cells.keys.sorted() where !extent(row).isEmpty {
            if let last = groups.last?.last, last + 1 == row {
                groups[groups.count - 1].append(row)
            } else {
                groups.append([row])
            }
        }
        return groups.map { rows in
            Cue(start: start, end: end, settings: settings(rows), text: text(rows).markup)
        }
    }

    /// All rows.
    var text: StyledText { text(cells.keys.sorted()) }

    /// The columns from the first to the last character that is no space.
    private func extent(_ row: Int) -> Range<Int> {
        let shown = (cells[row] ?? [:]).filter { $0.value.scalar != " " }.keys
        guard let first = shown.min(), let last = shown.max() else { return 0..<0 }
        return first..<last + 1
    }

    private func text(_ rows: [Int]) -> StyledText {
        var styled = StyledText()
        for row in rows {
            for column in extent(row) {
                let cell = cells[row]?[column]
                styled.append(String(cell?.scalar ?? " "), cell?.style ?? [])
            }
            styled.append("\n")
        }
        return styled
    }

    /// The rows are in the middle 80 percent of the frame. Rows that are all centred are so in the output; others begin
    /// at the leftmost column.
    private func settings(_ rows: [Int]) -> String {
        let line = 10 + Double((rows.first ?? 1) - 1) * 80 / Double(Self.rows)
        let extents = rows.map(extent)
        let isCentred = extents.allSatisfy { abs($0.lowerBound - (Self.columns - $0.upperBound)) <= 3 }
        if isCentred { return CuePlacement.settings(line: line) }
        let left = extents.map(\.lowerBound).min() ?? 0
        return CuePlacement.settings(
            line: line, position: 10 + Double(left) * 80 / Double(Self.columns), align: "left")
    }
}

/// The characters of CEA-608.
private enum CEA608Characters {
    private static let replaced: [UInt8: Unicode.Scalar] = [
        0x27: "’", 0x2A: "á", 0x5C: "é", 0x5E: "í", 0x5F: "ó", 0x60: "ú", 0x7B: "ç", 0x7C: "÷", 0x7D: "Ñ", 0x7E: "ñ",
        0x7F: "█",
    ]
    private static let specials = Array("®°½¿™¢£♪à âèêîôû".unicodeScalars)
    private static let spanishAndFrench = Array("ÁÉÓÚÜü‘¡*'—©℠•“”ÀÂÇÈÊËëÎÏïÔÙùÛ«»".unicodeScalars)
    private static let portugueseAndGerman = Array("ÃãÍÌìÒòÕõ{}\\^_|~ÄäÖöß¥¤│ÅåØø┌┐└┘".unicodeScalars)

    /// ASCII but for a few.
    static func basic(_ code: UInt8) -> Unicode.Scalar { replaced[code] ?? Unicode.Scalar(code) }

    static func special(_ code: UInt8) -> Unicode.Scalar { specials[Int(code & 0x0F)] }

    static func extended(_ set: UInt8, _ code: UInt8) -> Unicode.Scalar {
        (set == 0x12 ? spanishAndFrench : portugueseAndGerman)[Int(code & 0x1F)]
    }
}
