internal import ClairoCore
internal import Foundation

/// Formats numbers and tables for people.
enum Render {
    static func bytes(_ count: Int64) -> String {
        let units = ["bytes", "kB", "MB", "GB", "TB"]
        var value = Double(count)
        var unit = 0
        while value >= 1000, unit < units.count - 1 {
            value /= 1000
            unit += 1
        }
        return unit == 0 ? "\(count) bytes" : String(format: "%.1f %@", value, units[unit])
    }

    static func rate(_ bitsPerSecond: Int64) -> String {
        bitsPerSecond >= 10_000_000
            ? String(format: "%.1f Mbit/s", Double(bitsPerSecond) / 1e6)
            : "\((bitsPerSecond + 500) / 1000) kbit/s"
    }

    /// `1:02:03.5`, `2:03.5` or `3.50 s`.
    static func duration(_ seconds: Double) -> String {
        guard seconds.isFinite else { return "-" }
        if abs(seconds) < 60 { return String(format: "%.2f s", seconds) }
        let whole = Int(seconds)
        let rest = seconds - Double(whole / 60 * 60)
        return whole < 3600
            ? String(format: "%d:%04.1f", whole / 60, rest)
            : String(format: "%d:%02d:%04.1f", whole / 3600, whole / 60 % 60, rest)
    }

    /// `0:09`, `2:10` or `1:02:03`: an estimated time.
    static func clock(_ seconds: Double) -> String {
        let whole = Int(min(max(seconds, 0), 1e9))
        return whole < 3600
            ? String(format: "%d:%02d", whole / 60, whole % 60)
            : String(format: "%d:%02d:%02d", whole / 3600, whole / 60 % 60, whole % 60)
    }

    static func frameRate(_ rate: Rational) -> String {
        rate.den == 1 ? "\(rate.num) fps" : String(format: "%.3f fps (%lld/%lld)", rate.doubleValue, rate.num, rate.den)
    }

    /// Removes control characters from untrusted text, because a terminal would interpret them.
    static func printable(_ text: String) -> String {
        String(
            text.unicodeScalars.filter { !$0.properties.isWhitespace || $0 == " " }.filter {
                $0.value >= 32 && $0.value != 127 && !(0x80...0x9F).contains($0.value)
            })
    }

    /// A line for each warning. Warnings contain names from the source.
    static func warnings(_ warnings: [MediaWarning]) -> String {
        warnings.map { "warning: \(printable($0.description))\n" }.joined()
    }

    /// A table with columns as wide as their widest cell. Numbers (cells that begin with a digit) are right-aligned.
    static func table(_ header: [String], _ rows: [[String]]) -> String {
        let widths = header.indices.map { column in
            ([header] + rows).map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
        }
        func line(_ cells: [String]) -> String {
            cells.enumerated().map { column, cell in
                let fill = String(repeating: " ", count: max(0, widths[column] - cell.count))
                if column == cells.count - 1 { return cell }
                return cell.first?.isNumber == true ? fill + cell : cell + fill
            }.joined(separator: "  ")
        }
        return ([line(header)] + rows.map(line)).joined(separator: "\n") + "\n"
    }
}
