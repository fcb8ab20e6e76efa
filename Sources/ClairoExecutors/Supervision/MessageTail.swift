internal import Foundation
internal import Glibc

/// The last 2000 bytes of a child's stderr or a container's log.
struct MessageTail {
    private static let limit = 2000
    private var bytes: [UInt8] = []
    private(set) var isAtEnd = false

    init() {}

    init(_ text: Data) { bytes = Array(text.suffix(Self.limit)) }

    /// Reads what is available without blocking.
    mutating func drain(_ descriptor: Int32) {
        var buffer = [UInt8](repeating: 0, count: 1 << 14)
        // The number of reads is bounded, so that a child that writes endlessly does not block the supervisor.
        for _ in 0..<16 where !isAtEnd {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            isAtEnd = count == 0
            guard count > 0 else { return }
            bytes.append(contentsOf: buffer[..<count])
            bytes.removeFirst(max(0, bytes.count - Self.limit))
        }
    }

    /// The text as one line without control characters.
    var text: String {
        let scalars = String(decoding: bytes, as: UTF8.self).unicodeScalars.map { scalar in
            scalar.properties.generalCategory == .control ? " " : scalar
        }
        return String(String.UnicodeScalarView(scalars)).trimmingCharacters(in: .whitespaces)
    }
}
