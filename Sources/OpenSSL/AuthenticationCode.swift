internal import COpenSSL

/// Message authentication codes: HMAC (RFC 2104) with SHA-256.
public enum AuthenticationCode {
    /// The HMAC-SHA256 of a message, 32 bytes.
    public static func sha256(of message: some Sequence<UInt8>, key: some Sequence<UInt8>) -> [UInt8] {
        withBytes(of: key) { key in
            withBytes(of: message) { message in
                var length: UInt32 = 0
                return [UInt8](unsafeUninitializedCapacity: Int(EVP_MAX_MD_SIZE)) { buffer, count in
                    let code = HMAC(
                        EVP_sha256(), key.baseAddress, Int32(key.count),
                        message.baseAddress?.assumingMemoryBound(to: UInt8.self), message.count, buffer.baseAddress,
                        &length)
                    guard code != nil else { preconditionFailure("OpenSSL cannot compute an HMAC") }
                    count = Int(length)
                }
            }
        }
    }
}
