import Foundation
import OpenSSL
import Testing

/// Published test vectors, and digests of pieces compared with those of the whole.
@Suite struct DigestTests {
    private func hex(_ bytes: [UInt8]) -> String {
        bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    /// FIPS 180-4, RFC 1321.
    @Test(
        arguments: [
            (.sha256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (.sha256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (.sha1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (.md5, "abc", "900150983cd24fb0d6963f7d28e17f72"),
        ] as [(Digest.Algorithm, String, String)])
    func digestsMatchThePublishedOnes(algorithm: Digest.Algorithm, text: String, expected: String) {
        #expect(hex(Digest.value(algorithm, of: text.utf8)) == expected)
    }

    @Test func piecesGiveTheDigestOfTheWholeAndCopiesAreIndependent() {
        var first = Digest(.sha256)
        first.update("ab".utf8)
        var second = first
        first.update([UInt8(ascii: "c")])
        second.update("d".utf8)
        // Sequences without contiguous storage and empty sequences need no special handling.
        first.update(AnySequence<UInt8>([]))
        #expect(first.value() == Digest.sha256("abc".utf8))
        #expect(second.value() == Digest.sha256("abd".utf8))
        first.update("x".utf8)
        #expect(first.value() == Digest.sha256("abcx".utf8))
    }

    /// RFC 4231, test cases 1, 2 and 6 (a key longer than a block).
    @Test(
        arguments: [
            (
                [UInt8](repeating: 0x0b, count: 20), "Hi There",
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
            ),
            (
                Array("Jefe".utf8), "what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
            ),
            (
                [UInt8](repeating: 0xaa, count: 131), "Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
            ),
        ])
    func hmacsMatchThePublishedOnes(key: [UInt8], message: String, expected: String) {
        let code = AuthenticationCode.sha256(of: message.utf8, key: key)
        #expect(hex(code) == expected)
    }

    @Test func anEmptyKeyAndMessageHaveAnHMAC() {
        let expected = "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"
        #expect(hex(AuthenticationCode.sha256(of: [], key: [])) == expected)
        #expect(hex(AuthenticationCode.sha256(of: Data(), key: Data())) == expected)
    }
}
