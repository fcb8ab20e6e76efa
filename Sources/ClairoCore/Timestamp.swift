public import Foundation

/// A time in microseconds since 1970 UTC. In JSON it is RFC 3339 text, such as `2026-11-22T18:04:05.123456Z`; in SQL,
/// the integer.
public struct Timestamp: Sendable, Hashable, Comparable, Codable, CustomStringConvertible {
    /// Microseconds since 1970, UTC.
    public var microseconds: Int64

    public init(microseconds: Int64) { self.microseconds = microseconds }

    public init(_ date: Date) { microseconds = Int64((date.timeIntervalSince1970 * 1_000_000).rounded()) }

    /// The time by the clock of this machine.
    public static var now: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }

    public static func < (lhs: Timestamp, rhs: Timestamp) -> Bool { lhs.microseconds < rhs.microseconds }

    /// The moment so many seconds later, or earlier if negative.
    public func advanced(bySeconds seconds: Double) -> Timestamp {
        Timestamp(microseconds: microseconds + Int64((seconds * 1_000_000).rounded()))
    }

    /// Seconds from `other` to this time.
    public func seconds(since other: Timestamp) -> Double { Double(microseconds - other.microseconds) / 1_000_000 }

    public var description: String {
        var seconds = Int(microseconds >= 0 ? microseconds / 1_000_000 : (microseconds - 999_999) / 1_000_000)
        let fraction = microseconds - Int64(seconds) * 1_000_000
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func digits(_ value: Int64, _ count: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        let date = [
            digits(Int64(parts.tm_year) + 1900, 4), digits(Int64(parts.tm_mon) + 1, 2), digits(Int64(parts.tm_mday), 2),
        ]
        let time = [digits(Int64(parts.tm_hour), 2), digits(Int64(parts.tm_min), 2), digits(Int64(parts.tm_sec), 2)]
        return "\(date.joined(separator: "-"))T\(time.joined(separator: ":")).\(digits(fraction, 6))Z"
    }

    /// Parses the format of `description`, with any number of fractional digits.
    public init?(_ text: String) {
        guard text.hasSuffix("Z") else { return nil }
        let halves = text.dropLast().split(separator: "T")
        guard halves.count == 2 else { return nil }
        let date = halves[0].split(separator: "-").compactMap { Int32($0) }
        let clock = halves[1].split(separator: ":")
        guard date.count == 3, clock.count == 3, let hour = Int32(clock[0]), let minute = Int32(clock[1]),
            let second = Int32(clock[2].prefix { $0 != "." }), (1...12).contains(date[1]), (1...31).contains(date[2]),
            (0...23).contains(hour), (0...59).contains(minute), (0...60).contains(second)
        else { return nil }
        let fraction = clock[2].drop { $0 != "." }.dropFirst()
        guard fraction.allSatisfy(\.isNumber) else { return nil }
        let micros = Int64((fraction + "000000").prefix(6)) ?? 0
        var parts = tm()
        (parts.tm_year, parts.tm_mon, parts.tm_mday) = (date[0] - 1900, date[1] - 1, date[2])
        (parts.tm_hour, parts.tm_min, parts.tm_sec) = (hour, minute, second)
        microseconds = Int64(timegm(&parts)) * 1_000_000 + micros
    }

    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let value = Timestamp(text) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "not an RFC 3339 time in UTC: \(text)"))
        }
        self = value
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
