public import Foundation

/// The JSON encoding of all files, messages and `--json` output: sorted keys, so that equal values give equal text.
public enum JSON {
    /// Encodes a value with sorted keys.
    public static func encode(_ value: some Encodable, pretty: Bool = true) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting =
            pretty ? [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes] : [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(value)
    }
}
