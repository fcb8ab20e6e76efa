internal import COpenSSL

/// AES with keys of 128 bits (FIPS 197), in two modes of NIST SP 800-38A.
///
/// OpenSSL fails here only if memory runs out, and that ends the process.
public struct AES128: Sendable, CustomStringConvertible, CustomReflectable {
    /// The mode of operation.
    public enum Mode: Sendable, Hashable {
        /// Cipher block chaining. Lengths are multiples of 16.
        case cbc
        /// Counter mode. The initialization vector is the first counter block. Encrypting and decrypting are the same.
        case ctr
    }

    /// The size of a block and of a key, in bytes.
    public static let blockSize = 16

    private let key: [UInt8]

    /// - Parameter key: 16 bytes.
    public init(key: [UInt8]) {
        precondition(key.count == Self.blockSize, "A key of AES-128 has 16 bytes")
        self.key = key
    }

    public var description: String { "***" }
    public var customMirror: Mirror { Mirror(self, children: []) }

    /// Encrypts `bytes` in place, without padding.
    /// - Parameter iv: The initialization vector, 16 bytes.
    public func encrypt(_ bytes: inout [UInt8], mode: Mode, iv: [UInt8]) {
        bytes = transform(bytes, mode: mode, iv: iv, encrypts: true, pads: false) ?? []
    }

    /// Decrypts `bytes` in place, without padding.
    /// - Parameter iv: The initialization vector, 16 bytes.
    public func decrypt(_ bytes: inout [UInt8], mode: Mode, iv: [UInt8]) {
        bytes = transform(bytes, mode: mode, iv: iv, encrypts: false, pads: false) ?? []
    }

    /// Encrypts in CBC mode with the padding of PKCS #7, which adds 1 to 16 bytes.
    public func encryptPadded(_ bytes: [UInt8], iv: [UInt8]) -> [UInt8] {
        transform(bytes, mode: .cbc, iv: iv, encrypts: true, pads: true) ?? []
    }

    /// Reverses `encryptPadded`. Returns nil if the length or the padding is wrong, which a wrong key causes.
    public func decryptPadded(_ bytes: [UInt8], iv: [UInt8]) -> [UInt8]? {
        guard !bytes.isEmpty, bytes.count % Self.blockSize == 0 else { return nil }
        return transform(bytes, mode: .cbc, iv: iv, encrypts: false, pads: true)
    }

    /// - Returns: Nil if the padding is wrong.
    private func transform(_ bytes: [UInt8], mode: Mode, iv: [UInt8], encrypts: Bool, pads: Bool) -> [UInt8]? {
        precondition(iv.count == Self.blockSize, "An initialization vector has 16 bytes")
        precondition(mode == .ctr || pads || bytes.count % Self.blockSize == 0, "CBC needs whole blocks")
        guard let context = EVP_CIPHER_CTX_new() else { preconditionFailure("OpenSSL cannot allocate a cipher") }
        defer { EVP_CIPHER_CTX_free(context) }
        let cipher = mode == .cbc ? EVP_aes_128_cbc() : EVP_aes_128_ctr()
        guard EVP_CipherInit_ex(context, cipher, nil, key, iv, encrypts ? 1 : 0) == 1 else {
            preconditionFailure("OpenSSL does not offer AES-128")
        }
        EVP_CIPHER_CTX_set_padding(context, pads ? 1 : 0)
        var isRight = true
        let result = [UInt8](unsafeUninitializedCapacity: bytes.count + Self.blockSize) { buffer, count in
            bytes.withUnsafeBufferPointer { input in
                // OpenSSL counts with Int32.
                for start in stride(from: 0, to: input.count, by: 1 << 30) {
                    var written: Int32 = 0
                    guard let output = buffer.baseAddress, let source = input.baseAddress,
                        EVP_CipherUpdate(
                            context, output + count, &written, source + start,
                            Int32(min(1 << 30, input.count - start))) == 1
                    else { preconditionFailure("OpenSSL cannot continue a cipher") }
                    count += Int(written)
                }
            }
            var written: Int32 = 0
            guard let output = buffer.baseAddress else { return }
            isRight = EVP_CipherFinal_ex(context, output + count, &written) == 1
            count += Int(written)
        }
        return isRight ? result : nil
    }
}
