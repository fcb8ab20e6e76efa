internal import Foundation
internal import OpenSSL

/// A generated id, typed by `Tag`: a lower-case UUID version 7 (RFC 9562). Ids sort by creation time, so an index on
/// them grows at its end.
public struct Identifier<Tag>: Sendable, Hashable, Comparable, Codable, CustomStringConvertible {
    /// The id as text.
    public let rawValue: String

    /// Parses an id. Returns nil if the text is not a UUID, so ids are safe in keys and paths.
    public init?(_ text: String) {
        guard text.utf8.count == 36, let uuid = UUID(uuidString: text) else { return nil }
        rawValue = uuid.uuidString.lowercased()
    }

    /// Creates an id.
    public static func make(at time: Timestamp = .now) -> Identifier {
        Identifier(random: (0..<16).map { _ in UInt8.random(in: .min ... .max) }, at: time)
    }

    /// The id derived from a text: a UUID version 8 (RFC 9562) from its SHA-256. Deterministic.
    public static func derived(from text: String) -> Identifier { Identifier(hash(of: text), version: 8) }

    /// The same, but sorted by `time`, like an id created then.
    public static func derived(from text: String, at time: Timestamp) -> Identifier {
        Identifier(random: hash(of: text), at: time)
    }

    private static func hash(of text: String) -> [UInt8] { Array(Digest.sha256(text.utf8).prefix(16)) }

    /// - Parameter random: 16 bytes, of which the first are replaced by the time.
    private init(random: [UInt8], at time: Timestamp) {
        var bytes = random
        let milliseconds = UInt64(max(0, time.microseconds / 1000))
        for index in 0..<6 { bytes[index] = UInt8(truncatingIfNeeded: milliseconds >> (40 - 8 * UInt64(index))) }
        // Microseconds within the millisecond (RFC 9562, 6.2 method 3), so that ids of one process stay in order.
        let fraction = UInt16(max(0, time.microseconds % 1000) * 4096 / 1000)
        bytes[6] = UInt8(fraction >> 8)
        bytes[7] = UInt8(truncatingIfNeeded: fraction)
        self.init(bytes, version: 7)
    }

    /// - Parameter bytes: 16 bytes. Version and variant replace six bits.
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

    /// The creation time, by the creator's clock; nil for an id derived from a text alone.
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

/// Id of a video.
public typealias VideoID = Identifier<Video>
/// Id of an upload.
public typealias UploadID = Identifier<UploadSession>
/// Id of a job.
public typealias JobID = Identifier<Job>
/// Id of a task.
public typealias TaskID = Identifier<WorkTask>
/// Id of a message.
public typealias MessageID = Identifier<OutboxMessage>
