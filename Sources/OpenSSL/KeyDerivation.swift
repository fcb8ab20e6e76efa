/// Derivation of keys: HKDF (RFC 5869) with SHA-256.
public enum KeyDerivation {
    /// Derives a key from a secret.
    /// - Parameters:
    ///   - secret: The input keying material. It has the entropy of a key; it is no password.
    ///   - salt: Separates applications. It is not secret.
    ///   - info: Separates the keys of one secret. It is not secret.
    ///   - count: Bytes of the key, at most 255 times 32.
    public static func sha256(
        secret: some Sequence<UInt8>, salt: some Sequence<UInt8>, info: some Sequence<UInt8>, count: Int
    ) -> [UInt8] {
        precondition(count <= 255 * 32, "HKDF gives at most 8160 bytes")
        let extracted = AuthenticationCode.sha256(of: secret, key: salt)
        let info = Array(info)
        var key: [UInt8] = []
        var block: [UInt8] = []
        var number: UInt8 = 1
        while key.count < count {
            block = AuthenticationCode.sha256(of: block + info + [number], key: extracted)
            key += block
            number &+= 1
        }
        return Array(key.prefix(count))
    }
}
