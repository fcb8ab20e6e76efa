internal import Crypto
internal import Foundation

/// A name that the system gives, of the kind that `Tag` says: a UUID of version 7 in lower case (RFC 9562), so ids sort by
/// the time they were made and an index on them grows at its end.
public struct Identifier<Tag>: Sendable, Hashable, Comparable, Codable, CustomStringConvertible {
    public let rawValue: String

    /// Takes an id as it is written; nil where the text is no UUID, so an id may stand in keys and paths as it is.
    public init?(_ text: String) {
        guard text.utf8.count == 36, let uuid = UUID(uuidString: text) else { return nil }
        rawValue = uuid.uuidString.lowercased()
    }

    /// A new id.
    public static func make(at time: Timestamp = .now) -> Identifier {
        Identifier(random: (0..<16).map { _ in UInt8.random(in: .min ... .max) }, at: time)
    }

    /// The id that belongs to a text, always the same one: a UUID of version 8 (RFC 9562) made of its SHA-256.
    public static func derived(from text: String) -> Identifier { Identifier(hash(of: text), version: 8) }

    /// The same, of what has a time already: the id sorts by it, like one that was made then.
    public static func derived(from text: String, at time: Timestamp) -> Identifier {
        Identifier(random: hash(of: text), at: time)
    }

    private static func hash(of text: String) -> [UInt8] { Array(SHA256.hash(data: Data(text.utf8)).prefix(16)) }

    /// - Parameter random: 16 bytes, in place of which the time's are put.
    private init(random: [UInt8], at time: Timestamp) {
        var bytes = random
        let milliseconds = UInt64(max(0, time.microseconds / 1000))
        for index in 0..<6 { bytes[index] = UInt8(truncatingIfNeeded: milliseconds >> (40 - 8 * UInt64(index))) }
        // The microseconds within the millisecond (RFC 9562, 6.2 method 3), so that ids of one process keep their order.
        let fraction = UInt16(max(0, time.microseconds % 1000) * 4096 / 1000)
        bytes[6] = UInt8(fraction >> 8)
        bytes[7] = UInt8(truncatingIfNeeded: fraction)
        self.init(bytes, version: 7)
    }

    /// - Parameter bytes: 16, of which version and variant take six bits.
    private init(_ bytes: [UInt8], version: UInt8) {
        var bytes = bytes
        bytes[6] = version << 4 | (bytes[6] & 0x0f)
        bytes[8] = 0x80 | (bytes[8] & 0x3f)
        let hex = bytes.hexadecimal
        var text = ""
        for (index, character) in hex.enumerated() {
            if [8, 12, 16, 20].contains(index) { text.append("-") }
            text.append(character)
        }
        rawValue = text
    }

    /// When it was made, by the clock of who made it; nil for one that was derived from a text alone.
    public var time: Timestamp? {
        let digits = rawValue.filter { $0 != "-" }
        guard digits.dropFirst(12).first == "7", let milliseconds = Int64(digits.prefix(12), radix: 16) else {
            return nil
        }
        return Timestamp(microseconds: milliseconds * 1000)
    }

    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let value = Identifier(text) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "not an id: \(text)"))
        }
        self = value
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(rawValue)
    }

    public var description: String { rawValue }

    public static func < (lhs: Identifier, rhs: Identifier) -> Bool { lhs.rawValue < rhs.rawValue }
}

public typealias VideoID = Identifier<Video>
public typealias UploadID = Identifier<UploadSession>
public typealias JobID = Identifier<Job>
public typealias TaskID = Identifier<WorkTask>
public typealias MessageID = Identifier<OutboxMessage>
