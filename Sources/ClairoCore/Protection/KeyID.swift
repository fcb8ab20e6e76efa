internal import Foundation
internal import OpenSSL

/// The public name of a content key: 16 bytes, as `default_KID` of ISO/IEC 23001-7.
public struct KeyID: Sendable, Hashable, Codable, CustomStringConvertible {
    /// 16 bytes.
    public let bytes: [UInt8]

    /// Parses 32 hexadecimal digits, with or without the hyphens of a UUID; nil for any other text.
    public init?(_ text: some StringProtocol) {
        let digits = text.utf8.count == 36 ? text.replacingOccurrences(of: "-", with: "") : String(text)
        guard digits.utf8.count == 32, let data = Data(hexadecimal: digits) else { return nil }
        bytes = Array(data)
    }

    /// The id of a track of a video: a UUID version 8 (RFC 9562) from a SHA-256. It reveals nothing about the key.
    public init(of track: String, in video: VideoID) {
        var bytes = Array(Digest.sha256("clairo key of \(track) in \(video)".utf8).prefix(16))
        bytes[6] = 0x80 | bytes[6] & 0x0F
        bytes[8] = 0x80 | bytes[8] & 0x3F
        self.bytes = bytes
    }

    /// 32 lower-case hexadecimal digits.
    public var description: String { bytes.hexadecimal }

    /// With the hyphens of a UUID, as DASH writes it.
    public var uuid: String {
        let text = Array(description)
        return [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(text[$0]) }.joined(separator: "-")
    }

    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let id = KeyID(text) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "not a key id"))
        }
        self = id
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
