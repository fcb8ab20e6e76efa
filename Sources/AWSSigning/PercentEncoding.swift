/// Percent-encoding for SigV4: each UTF-8 byte becomes `%XX` with upper-case digits, except the unreserved characters
/// of RFC 3986 (section 2.3). A request must be sent in the same encoding in which it was signed.
public enum PercentEncoding {
    /// Encodes a query name, a query value or a path segment, including its slashes.
    public static func component(_ text: String) -> String { encode(text.utf8, sparing: nil) }

    /// Encodes a whole path, except its slashes.
    public static func path(_ text: String) -> String { path(text.utf8) }

    /// Encodes a whole path, whose bytes need not be UTF-8, except its slashes.
    public static func path(_ bytes: some Collection<UInt8>) -> String { encode(bytes, sparing: UInt8(ascii: "/")) }

    private static func encode(_ text: some Collection<UInt8>, sparing spared: UInt8?) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        for byte in text {
            if isUnreserved(byte) || byte == spared {
                bytes.append(byte)
            } else {
                bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static let digits = Array("0123456789ABCDEF".utf8)

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }
}
