internal import ClairoCore

/// Parses ages and intervals, such as `90s`, `30m`, `12h`, `7d` and `1w`.
enum Age {
    private static let units: [Character: Double] = ["s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800]
    /// A hundred years: the times that are computed from an age must exist.
    private static let longest = 36_525 * 86_400.0

    /// The age in seconds; nil if the text is not an age. A number without a unit is none, because some expect seconds
    /// and others days.
    static func seconds(_ text: String) -> Double? {
        guard let unit = text.last.flatMap({ units[$0] }),
            text.dropLast().allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }),
            let value = Double(text.dropLast()), value * unit <= longest
        else { return nil }
        return value * unit
    }

    static let advice = "Give a number with s, m, h, d or w, such as 12h, 7d or 1w."
}
