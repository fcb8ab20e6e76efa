import OpenSSL
import Testing

/// The test vectors of NIST SP 800-38A and RFC 5869.
@Suite struct AES128Tests {
    private static let key = bytes("2b7e151628aed2a6abf7158809cf4f3c")
    private static let text = bytes(
        "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
            + "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710")

    private static func bytes(_ text: String) -> [UInt8] {
        stride(from: 0, to: text.count, by: 2).compactMap { UInt8(text.dropFirst($0).prefix(2), radix: 16) }
    }

    /// SP 800-38A, F.2.1 and F.2.2.
    @Test func cbcGivesThePublishedCiphertext() {
        let iv = Self.bytes("000102030405060708090a0b0c0d0e0f")
        var data = Self.text
        AES128(key: Self.key).encrypt(&data, mode: .cbc, iv: iv)
        #expect(
            Hexadecimal.text(data) == "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"
                + "73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7")
        AES128(key: Self.key).decrypt(&data, mode: .cbc, iv: iv)
        #expect(data == Self.text)
    }

    /// SP 800-38A, F.5.1.
    @Test func ctrGivesThePublishedCiphertext() {
        let iv = Self.bytes("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
        var data = Self.text
        AES128(key: Self.key).encrypt(&data, mode: .ctr, iv: iv)
        #expect(
            Hexadecimal.text(data) == "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff"
                + "5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee")
    }

    @Test func ctrTakesAnyLength() {
        let iv = Self.bytes("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
        var data = Array(Self.text.prefix(21))
        AES128(key: Self.key).encrypt(&data, mode: .ctr, iv: iv)
        #expect(Hexadecimal.text(data) == "874d6191b620e3261bef6864990db6ce9806f66b79")
        AES128(key: Self.key).decrypt(&data, mode: .ctr, iv: iv)
        #expect(data == Array(Self.text.prefix(21)))
    }

    @Test(arguments: [0, 1, 15, 16, 17, 64]) func paddingIsAddedAndRemoved(count: Int) {
        let iv = [UInt8](repeating: 7, count: 16)
        let text = Array(Self.text.prefix(count))
        let cipher = AES128(key: Self.key)
        let data = cipher.encryptPadded(text, iv: iv)
        #expect(data.count == count / 16 * 16 + 16)
        #expect(cipher.decryptPadded(data, iv: iv) == text)
        #expect(cipher.decryptPadded(Array(data.dropLast()), iv: iv) == nil)
    }

    @Test func aDescriptionShowsNoKey() {
        var text = "\(AES128(key: Self.key))"
        dump(AES128(key: Self.key), to: &text)
        #expect(!text.contains("\(Self.key[0])") && !text.contains(Hexadecimal.text(Self.key)))
    }

    /// RFC 5869, A.1 to A.3.
    @Test(arguments: [
        (
            "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
        ),
        (
            (0..<80).map { hexadecimal($0) }.joined(), (0x60..<0xB0).map { hexadecimal($0) }.joined(),
            (0xB0..<0x100).map { hexadecimal($0) }.joined(),
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
                + "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"
        ),
        (
            "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
        ),
    ])
    func hkdfGivesThePublishedKeys(secret: String, salt: String, info: String, key: String) {
        let derived = KeyDerivation.sha256(
            secret: Self.bytes(secret), salt: Self.bytes(salt), info: Self.bytes(info), count: key.count / 2)
        #expect(Hexadecimal.text(derived) == key)
    }

    private static func hexadecimal(_ value: Int) -> String { Hexadecimal.text([UInt8(value)]) }
}
