internal import ClairoCore
internal import Foundation

/// WebVTT (https://www.w3.org/TR/webvtt1/): the form of all text in the output.
enum WebVTT {
    /// As in the CODECS of a playlist (RFC 8216bis, 4.4.6.2).
    static let codec = "wvtt"

    /// Binds cue times to the times in the media segments, which both begin with 0 (RFC 8216bis, 3.1.4).
    private static let timestampMap = "X-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000"

    // MARK: Writing

    /// A file with all cues, for DASH and `<track>`.
    /// - Parameter cues: Ordered by their start.
    static func file(_ cues: some Sequence<Cue>) -> Data { Data(("WEBVTT\n" + blocks(cues)).utf8) }

    /// A segment for HLS.
    /// - Parameter cues: Every cue that is shown during the segment, with its whole time, also if it is in the segments
    ///   beside it too: players recognise the repetition.
    static func segment(_ cues: some Sequence<Cue>) -> Data {
        Data("WEBVTT\n\(timestampMap)\n\(blocks(cues))".utf8)
    }

    private static func blocks(_ cues: some Sequence<Cue>) -> String {
        cues.reduce(into: "") { text, cue in
            let settings = cue.settings.isEmpty ? "" : " \(cue.settings)"
            text += "\n\(timestamp(cue.start)) --> \(timestamp(cue.end))\(settings)\n\(cue.text)\n"
        }
    }

    /// `00:01:02.345`.
    static func timestamp(_ milliseconds: Int64) -> String {
        func digits(_ number: Int64, _ count: Int) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        let seconds = milliseconds / 1000
        return "\(digits(seconds / 3600, 2)):\(digits(seconds / 60 % 60, 2)):\(digits(seconds % 60, 2))"
            + ".\(digits(milliseconds % 1000, 3))"
    }

    // MARK: Reading

    /// The cues of a file, in its order; nil if it is not WebVTT. Comments, styles and regions are left out, and so is
    /// what is no valid block, as in players.
    static func cues(_ text: String) -> [Cue]? {
        let lines = TextLine.split(text)
        guard let first = lines.first, first == "WEBVTT" || first.hasPrefix("WEBVTT ") || first.hasPrefix("WEBVTT\t")
        else { return nil }
        var cues: [Cue] = []
        // Lines up to the first empty one belong to the header.
        for block in lines.split(separator: "").dropFirst(1) {
            // A line before the times is an identifier.
            guard let position = block.prefix(2).firstIndex(where: { $0.contains("-->") }),
                let timing = CueTiming(block[position])
            else { continue }
            let text = cueText(block[(position + 1)...].prefix { !$0.contains("-->") })
            cues.append(
                Cue(start: timing.start, end: timing.end, settings: settings(timing.rest), text: text))
        }
        return cues
    }

    /// Cue text from any source that has WebVTT: without what would end the cue.
    static func cueText(_ lines: some Sequence<String>) -> String {
        lines.filter { line in !line.unicodeScalars.allSatisfy(\.properties.isWhitespace) }
            .map { $0.replacingOccurrences(of: "-->", with: "--&gt;") }.joined(separator: "\n")
    }

    /// The valid ones of a cue's settings. Regions are not in the output, so that a cue has no region.
    static func settings(_ text: some StringProtocol) -> String {
        text.split(whereSeparator: { $0 == " " || $0 == "\t" }).filter { isSetting(String($0)) }.joined(separator: " ")
    }

    private static func isSetting(_ text: String) -> Bool {
        let parts = text.split(separator: ":", maxSplits: 1)
        guard parts.count == 2 else { return false }
        let values = parts[1].split(separator: ",", maxSplits: 1, omittingEmptySubsequences: false)
        let (value, alignment) = (values[0], values.count > 1 ? String(values[1]) : nil)
        switch parts[0] {
        case "vertical": return ["rl", "lr"].contains(parts[1])
        case "align": return ["start", "center", "middle", "end", "left", "right"].contains(parts[1])
        case "size": return isPercentage(parts[1])
        case "position":
            return isPercentage(value)
                && ["line-left", "center", "middle", "line-right", "start", "end", nil].contains(alignment)
        case "line":
            let number = Int(value).map { (-1000...1000).contains($0) } ?? false
            return (number || isPercentage(value)) && ["start", "center", "end", nil].contains(alignment)
        default: return false
        }
    }

    private static func isPercentage(_ text: some StringProtocol) -> Bool {
        guard text.hasSuffix("%"), let number = Double(text.dropLast()) else { return false }
        return (0...100).contains(number) && text.dropLast().allSatisfy { $0.isASCII && ($0.isNumber || $0 == ".") }
    }
}

/// The line of a cue's times in WebVTT and SubRip: `00:01.000 --> 00:02.500 align:left`.
struct CueTiming {
    /// Milliseconds.
    var start: Int64
    var end: Int64
    /// What follows the times.
    var rest: Substring

    /// Nil if the line has no two times. Commas and missing digits are accepted, because many writers of SubRip vary.
    init?(_ line: String) {
        guard let arrow = line.range(of: "-->"), let start = Self.time(line[..<arrow.lowerBound]) else { return nil }
        let after = line[arrow.upperBound...].drop { $0 == " " || $0 == "\t" }
        let time = after.prefix { $0 != " " && $0 != "\t" }
        guard let end = Self.time(time) else { return nil }
        self.start = start
        self.end = end
        rest = after.dropFirst(time.count)
    }

    /// Milliseconds of `1:02:03.450`, `02:03,45` or `-0:00:01.000`; nil if it is no time, or longer than a year.
    static func time(_ text: some StringProtocol) -> Int64? {
        var rest = String(text.filter { $0 != " " && $0 != "\t" })[...]
        let isNegative = rest.first == "-"
        if isNegative { rest = rest.dropFirst() }
        let parts = rest.split(separator: ":", omittingEmptySubsequences: false)
        guard (2...3).contains(parts.count), let last = parts.last else { return nil }
        let seconds = last.split(
            maxSplits: 1, omittingEmptySubsequences: false, whereSeparator: { $0 == "." || $0 == "," })
        func number(_ digits: Substring) -> Int64? {
            guard (1...6).contains(digits.utf8.count), digits.utf8.allSatisfy({ (48...57).contains($0) }) else {
                return nil
            }
            return Int64(digits)
        }
        var total: Int64 = 0
        for part in parts.dropLast() + [seconds[0]] {
            guard let value = number(part) else { return nil }
            total = total * 60 + value
        }
        var milliseconds: Int64 = 0
        if seconds.count > 1 {
            guard let value = number(seconds[1].prefix(3)) else { return nil }
            milliseconds = (0..<max(0, 3 - seconds[1].count)).reduce(value) { number, _ in number * 10 }
        }
        guard total < 366 * 86_400 else { return nil }
        return (total * 1000 + milliseconds) * (isNegative ? -1 : 1)
    }
}

/// The lines of a text file.
enum TextLine {
    /// Lines end with LF, CRLF or CR. A byte order mark is dropped, and NUL is replaced as WebVTT says.
    static func split(_ text: String) -> [String] {
        var lines: [String] = []
        var line = String.UnicodeScalarView()
        var afterReturn = false
        for (index, scalar) in text.unicodeScalars.enumerated() {
            defer { afterReturn = scalar == "\r" }
            switch scalar {
            case "\u{FEFF}" where index == 0: break
            case "\n" where afterReturn: break
            case "\n", "\r":
                lines.append(String(line))
                line.removeAll()
            case "\0": line.append("\u{FFFD}")
            default: line.append(scalar)
            }
        }
        if !line.isEmpty { lines.append(String(line)) }
        return lines
    }
}
