public import Foundation
internal import OpenSSL

extension Sequence<UInt8> {
    /// Two lower-case hexadecimal digits per byte.
    public var hexadecimal: String { Hexadecimal.text(self) }
}

extension Data {
    /// The bytes of a text of hexadecimal digits, two for each; nil for any other text.
    public init?(hexadecimal text: some StringProtocol) {
        let digits = text.compactMap(\.hexDigitValue)
        guard digits.count == text.count, digits.count.isMultiple(of: 2) else { return nil }
        self.init(stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) })
    }
}
