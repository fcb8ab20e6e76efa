public import Foundation
internal import OpenSSL

/// Checksums in lower-case hexadecimal.
public enum Checksum {
    /// SHA-256 in lower-case hexadecimal.
    public static func sha256(_ data: Data) -> String { Digest.sha256(data).hexadecimal }

    /// MD5 in lower-case hexadecimal, only for foreign formats that require it, such as S3's ETag.
    public static func md5(_ data: Data) -> String { Digest.value(.md5, of: data).hexadecimal }

    /// The SHA-256 of a whole source, read piece by piece.
    /// - Parameter check: Called before each piece. Its error ends the computation.
    public static func sha256(_ source: any ByteSource, check: () throws(ClairoError) -> Void = {})
        throws(ClairoError) -> String
    {
        var running = Running()
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        var offset: Int64 = 0
        while true {
            try check()
            let result = buffer.withUnsafeMutableBytes { bytes in
                Result { () throws(ClairoError) in try source.read(at: offset, into: bytes) }
            }
            let count = try result.get()
            if count == 0 { return running.finish() }
            buffer.withUnsafeBytes { running.update(UnsafeRawBufferPointer(rebasing: $0.prefix(count))) }
            offset += Int64(count)
        }
    }

    /// A running SHA-256 over successive pieces.
    public struct Running: Sendable {
        private var digest = Digest(.sha256)
        /// Bytes so far.
        public private(set) var bytes: Int64 = 0

        public init() {}

        /// Adds bytes.
        public mutating func update(_ data: Data) {
            digest.update(data)
            bytes += Int64(data.count)
        }

        /// Adds bytes.
        public mutating func update(_ data: UnsafeRawBufferPointer) {
            digest.update(data)
            bytes += Int64(data.count)
        }

        /// The checksum in lower-case hexadecimal. More bytes may follow.
        public func finish() -> String { digest.value().hexadecimal }
    }
}
