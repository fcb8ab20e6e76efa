import Foundation
import Testing
import Zlib

@Suite struct GzipTests {
    // Not a stored property, whose bytes the leak check does not find.
    private static var text: Data { Data((0..<2000).map { "00\($0).m4s\n" }.joined().utf8) }

    @Test(arguments: [Data(), Data("x".utf8), text, Data(count: 3 << 20)])
    func decompressingReturnsWhatWasCompressed(data: Data) throws {
        let file = Gzip.compress(data)
        #expect(Gzip.isGzip(file))
        #expect(try Gzip.decompress(file, limit: max(1, data.count)) == data)
        #expect(Gzip.compress(data) == file, "the result depends on the bytes only")
    }

    @Test func textBecomesSmaller() {
        #expect(Gzip.compress(Self.text).count < Self.text.count / 3)
        #expect(!Gzip.isGzip(Self.text))
    }

    @Test func aSliceIsCompressedLikeACopy() {
        let slice = Self.text.dropFirst(100)
        #expect(Gzip.compress(slice) == Gzip.compress(Data(slice)))
    }

    @Test func damagedBytesAreAnError() {
        let file = Gzip.compress(Self.text)
        var changed = file
        changed[file.count / 2] ^= 0xFF
        for bytes in [Data(), file.dropLast(), file + Data([0]), changed, Self.text] {
            #expect(throws: Gzip.DecodingError.damaged) { try Gzip.decompress(bytes, limit: 1 << 20) }
        }
    }

    @Test func theLimitBoundsTheResult() {
        let file = Gzip.compress(Data(count: 10 << 20))
        #expect(throws: Gzip.DecodingError.tooLarge) { try Gzip.decompress(file, limit: 1 << 20) }
    }

    /// The output of `printf '#EXTM3U\n' | gzip -n`.
    @Test func aFileOfTheProgramGzipIsDecompressed() throws {
        let file = Data([
            0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0x53, 0x76, 0x8d, 0x08, 0xf1, 0x35, 0x0e, 0xe5,
            0x02, 0x00, 0xb5, 0x98, 0xec, 0x41, 0x08, 0x00, 0x00, 0x00,
        ])
        #expect(try Gzip.decompress(file, limit: 100) == Data("#EXTM3U\n".utf8))
    }
}
