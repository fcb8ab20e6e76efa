internal import Foundation

/// Decodes the services of CEA-708 (ANSI/CTA-708-E), the captions of digital television: up to 63 of them, each with
/// eight windows. Colours, fonts and effects are left out.
///
/// A cue is what a visible window shows from one change to the next.
struct CEA708Decoder {
    private var packet: [UInt8] = []
    private var size = 0
    private var services: [Int: Service] = [:]

    /// - Parameters:
    ///   - time: Milliseconds.
    ///   - emit: Receives finished cues, with the number of the service.
    mutating func take(_ triplet: CaptionTriplet, at time: Int64, emit: (Int, Cue) -> Void) {
        if triplet.kind == .packetStart {
            packet = []
            let code = Int(triplet.first & 0x3F)
            size = code == 0 ? 128 : code * 2
        }
        guard packet.count < size else { return }
        packet += [triplet.first, triplet.second]
        guard packet.count >= size else { return }
        readBlocks(packet.dropFirst(), at: time, emit: emit)
        (packet, size) = ([], 0)
    }

    /// Ends what is shown.
    mutating func finish(at time: Int64, emit: (Int, Cue) -> Void) {
        for number in services.keys.sorted() { services[number]?.finish(at: time) { emit(number, $0) } }
    }

    /// Service blocks (6.2): a number, a length and data.
    private mutating func readBlocks(_ bytes: ArraySlice<UInt8>, at time: Int64, emit: (Int, Cue) -> Void) {
        var rest = bytes
        while let header = rest.popFirst() {
            var number = Int(header >> 5)
            let length = Int(header & 0x1F)
            if number == 7, length > 0 {
                guard let extended = rest.popFirst() else { return }
                number = Int(extended & 0x3F)
            }
            guard number > 0, length <= rest.count else { return }
            services[number, default: Service()].take(rest.prefix(length), at: time) { emit(number, $0) }
            rest = rest.dropFirst(length)
        }
    }
}

/// One service and its windows.
private struct Service {
    private var windows: [Int: Window] = [:]
    private var current: Int?
    /// Bytes of a code whose others are in the next block.
    private var pending: [UInt8] = []

    mutating func take(_ block: ArraySlice<UInt8>, at time: Int64, emit: (Cue) -> Void) {
        var rest = (pending + block)[...]
        while let length = Self.length(rest), length <= rest.count {
            run(Array(rest.prefix(length)), at: time, emit: emit)
            rest = rest.dropFirst(length)
        }
        // No code is longer; what is left of a damaged one is not kept.
        pending = rest.count < 40 ? Array(rest) : []
    }

    mutating func finish(at time: Int64, emit: (Cue) -> Void) {
        for index in windows.keys.sorted() { windows[index]?.flush(at: time, emit: emit) }
    }

    /// The number of bytes of the next code (7.1); nil if there is none.
    private static func length(_ bytes: ArraySlice<UInt8>) -> Int? {
        guard let code = bytes.first else { return nil }
        switch code {
        case 0x10: return bytes.dropFirst().first.map { 1 + extendedLength($0, bytes) } ?? 2
        case 0x11...0x17: return 2
        case 0x18...0x1F: return 3
        case 0x88...0x8D: return 2
        case 0x90, 0x92: return 3
        case 0x91: return 4
        case 0x97: return 5
        case 0x98...0x9F: return 7
        default: return 1
        }
    }

    private static func extendedLength(_ code: UInt8, _ bytes: ArraySlice<UInt8>) -> Int {
        switch code {
        case 0x08...0x0F: 2
        case 0x10...0x17: 3
        case 0x18...0x1F: 4
        case 0x80...0x87: 5
        case 0x88...0x8F: 6
        case 0x90...0x9F: 2 + Int((bytes.dropFirst(2).first ?? 0) & 0x1F)
        default: 1
        }
    }

    private mutating func run(_ code: [UInt8], at time: Int64, emit: (Cue) -> Void) {
        func each(_ mask: UInt8, _ body: (inout Window) -> Void) {
            for index in 0..<8 where mask & (1 << index) != 0 {
                if var window = windows[index] {
                    body(&window)
                    windows[index] = window
                }
            }
        }
        func edit(_ body: (inout Window) -> Void) {
            guard let current, var window = windows[current] else { return }
            body(&window)
            windows[current] = window
        }
        switch code[0] {
        case 0x08: edit { $0.backspace() }
        case 0x0C: edit { $0.clear(at: time, emit: emit) }
        case 0x0D: edit { $0.newLine(at: time, emit: emit) }
        case 0x0E: edit { $0.clearRow() }
        case 0x10:
            guard code.count > 1, let scalar = CEA708Characters.extended(code[1]) else { return }
            edit { $0.append(scalar, at: time) }
        case 0x18:
            let scalar = Unicode.Scalar(UInt16(code[1]) << 8 | UInt16(code[2])) ?? "\u{FFFD}"
            edit { $0.append(scalar, at: time) }
        case 0x20...0x7F, 0xA0...0xFF: edit { $0.append(CEA708Characters.basic(code[0]), at: time) }
        case 0x80...0x87: current = Int(code[0] - 0x80)
        case 0x88: each(code[1]) { $0.clear(at: time, emit: emit) }
        case 0x89: each(code[1]) { $0.show(at: time) }
        case 0x8A: each(code[1]) { $0.hide(at: time, emit: emit) }
        case 0x8B: each(code[1]) { $0.isVisible ? $0.hide(at: time, emit: emit) : $0.show(at: time) }
        case 0x8C:
            each(code[1]) { $0.flush(at: time, emit: emit) }
            for index in 0..<8 where code[1] & (1 << index) != 0 { windows[index] = nil }
        case 0x8F:
            finish(at: time, emit: emit)
            (windows, current) = ([:], nil)
        case 0x90: edit { $0.setStyle(code[2]) }
        case 0x92: edit { $0.move(row: Int(code[1] & 0x0F), column: Int(code[2] & 0x3F)) }
        case 0x98...0x9F:
            let index = Int(code[0] - 0x98)
            var window = windows[index] ?? Window()
            window.define(code, at: time, emit: emit)
            windows[index] = window
            current = index
        default: break
        }
    }
}

/// One window of a service.
private struct Window {
    private(set) var isVisible = false
    private var grid = CaptionGrid()
    private var row = 0
    private var column = 0
    private var style: StyledText.Style = []
    private var rows = 1
    /// From 0 at the top left to 8 at the bottom right, row by row.
    private var anchor = 7
    /// In percent of the area for captions, which is the middle 80 percent of the frame.
    private var x = 50.0
    private var y = 100.0
    /// When what it shows began to be so; nil if it shows nothing.
    private var since: Int64?

    /// A window's rows are at most 15, of 42 characters (8.10.5.2).
    private static let columns = 42

    mutating func define(_ code: [UInt8], at time: Int64, emit: (Cue) -> Void) {
        let isShown = code[1] & 0x20 != 0
        if isVisible, !isShown { hide(at: time, emit: emit) }
        let isRelative = code[2] & 0x80 != 0
        y = Double(code[2] & 0x7F) / (isRelative ? 99 : 74) * 100
        x = Double(code[3]) / (isRelative ? 99 : 209) * 100
        anchor = min(Int(code[4] >> 4), 8)
        rows = Int(code[4] & 0x0F) + 1
        if !isVisible, isShown { show(at: time) }
    }

    mutating func append(_ scalar: Unicode.Scalar, at time: Int64) {
        grid.put(scalar, style, row: row, column: column)
        column = min(column + 1, Self.columns - 1)
        if isVisible { since = since ?? time }
    }

    mutating func setStyle(_ attributes: UInt8) {
        style = []
        if attributes & 0x80 != 0 { style.insert(.italic) }
        if attributes & 0x40 != 0 { style.insert(.underline) }
    }

    mutating func move(row: Int, column: Int) { (self.row, self.column) = (row, min(column, Self.columns - 1)) }

    mutating func backspace() {
        guard column > 0 else { return }
        column -= 1
        grid.clear(row: row, from: column, count: 1)
    }

    mutating func clearRow() {
        grid.clear(row: row, from: 0, count: Self.columns)
        column = 0
    }

    /// A line that is full rolls up within its window.
    mutating func newLine(at time: Int64, emit: (Cue) -> Void) {
        column = 0
        guard row + 1 >= rows else {
            row += 1
            return
        }
        flush(at: time, emit: emit)
        grid.rollUp(base: row, rows: rows)
        if isVisible, !grid.isEmpty { since = time }
    }

    mutating func clear(at time: Int64, emit: (Cue) -> Void) {
        flush(at: time, emit: emit)
        grid = CaptionGrid()
        (row, column) = (0, 0)
    }

    mutating func show(at time: Int64) {
        isVisible = true
        if !grid.isEmpty { since = since ?? time }
    }

    mutating func hide(at time: Int64, emit: (Cue) -> Void) {
        flush(at: time, emit: emit)
        isVisible = false
    }

    /// Emits what is shown until now.
    mutating func flush(at time: Int64, emit: (Cue) -> Void) {
        defer { since = nil }
        guard let since, time > since, !grid.isEmpty else { return }
        let text = grid.text
        emit(Cue(start: since, end: time, settings: settings(lines: text.lineCount), text: text.markup))
    }

    private func settings(lines: Int) -> String {
        // The keypad counts rows from the bottom.
        let place = KeypadPlace([7, 8, 9, 4, 5, 6, 1, 2, 3][anchor])
        return place?.settings(atX: 10 + x * 0.8, y: 10 + y * 0.8, lines: lines) ?? ""
    }
}

/// The characters of CEA-708 (7.1).
private enum CEA708Characters {
    private static let extended: [UInt8: Unicode.Scalar] = [
        0x20: " ", 0x21: "\u{A0}", 0x25: "…", 0x2A: "Š", 0x2C: "Œ", 0x30: "█", 0x31: "‘", 0x32: "’", 0x33: "“",
        0x34: "”", 0x35: "•", 0x39: "™", 0x3A: "š", 0x3C: "œ", 0x3D: "℠", 0x3F: "Ÿ", 0x76: "⅛", 0x77: "⅜", 0x78: "⅝",
        0x79: "⅞", 0x7A: "│", 0x7B: "┐", 0x7C: "└", 0x7D: "─", 0x7E: "┘", 0x7F: "┌",
    ]

    /// ASCII with a note at its end, and Latin-1.
    static func basic(_ code: UInt8) -> Unicode.Scalar { code == 0x7F ? "♪" : Unicode.Scalar(code) }

    /// What follows the code for extension; nil for codes without a character.
    static func extended(_ code: UInt8) -> Unicode.Scalar? {
        (0x20...0x7F).contains(code) ? extended[code] ?? "_" : nil
    }
}
