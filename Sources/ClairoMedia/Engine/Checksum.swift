public import ClairoCore
internal import Crypto
public import Foundation

/// SHA-256 in hexadecimal.
public enum Checksum {
    public static func sha256(_ data: Data) -> String { hex(SHA256.hash(data: data)) }

    /// Of a whole source, in pieces.
    public static func sha256(_ source: any ByteSource, control: JobControl? = nil) throws(ClairoError) -> String {
        var running = Running()
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        var offset: Int64 = 0
        while true {
            try control?.checkCancellation()
            let result = buffer.withUnsafeMutableBytes { bytes in
                Result { () throws(ClairoError) in try source.read(at: offset, into: bytes) }
            }
            let count = try result.get()
            if count == 0 { return running.finish() }
            buffer.withUnsafeBytes { running.update(UnsafeRawBufferPointer(rebasing: $0.prefix(count))) }
            offset += Int64(count)
        }
    }

    /// A checksum of pieces as they pass.
    struct Running {
        private var hash = SHA256()
        private(set) var bytes: Int64 = 0

        mutating func update(_ data: Data) {
            hash.update(data: data)
            bytes += Int64(data.count)
        }

        mutating func update(_ data: UnsafeRawBufferPointer) {
            hash.update(bufferPointer: data)
            bytes += Int64(data.count)
        }

        func finish() -> String { hex(hash.finalize()) }
    }

    private static func hex(_ digest: SHA256.Digest) -> String {
        digest.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
}
