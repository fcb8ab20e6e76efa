internal import Foundation
internal import OpenSSL

/// A secret key of 16 bytes that encrypts samples or segments.
///
/// Only the process that writes to the store has it. It is not `Codable`, and its descriptions do not show it.
public struct ContentKey: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// 16 bytes. For players and ciphers only.
    public let bytes: [UInt8]

    /// - Parameter bytes: 16 bytes; nil for another number.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count == AES128.blockSize else { return nil }
        self.bytes = bytes
    }

    /// Parses 32 hexadecimal digits; nil for any other text.
    public init?(hexadecimal text: some StringProtocol) {
        guard let data = Data(hexadecimal: text) else { return nil }
        self.init(Array(data))
    }

    /// 32 lower-case hexadecimal digits. For the user who asked for the key, and nobody else.
    public var revealed: String { bytes.hexadecimal }

    public var description: String { "***" }
    public var debugDescription: String { "***" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
