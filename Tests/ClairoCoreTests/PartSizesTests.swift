import ClairoCore
import Testing

@Suite struct PartSizesTests {
    private static let mebibyte: Int64 = 1 << 20

    @Test(
        arguments: [
            (0, 8), (1, 8), (8 << 20, 8), (10_000 * 8 << 20, 8), (10_000 * 8 << 20 + 1, 9), (5 << 40, 525),
            (200 << 40, 5120),
        ] as [(Int64, Int)])
    func aKnownLengthHasEqualPartsThatHoldIt(length: Int64, mebibytes: Int) {
        let sizes = PartSizes(forLength: length)
        #expect(sizes.first == mebibytes << 20)
        for number in [1, 2, 2001, 9999] {
            #expect(sizes.size(ofPart: number) == sizes.first)
            #expect(sizes.offset(ofPart: number) == Int64(number - 1) * Int64(sizes.first))
        }
        if length <= PartSizes.longestObject { #expect(Int64(sizes.first) * 10_000 >= length) }
    }

    @Test func theMinimumCanBeLowered() {
        #expect(PartSizes(forLength: 1, atLeast: 5 << 20).first == 5 << 20)
        #expect(PartSizes(forLength: 5 << 40, atLeast: 5 << 20).first == 525 << 20)
    }

    @Test(arguments: [8, 32]) func partsOfAnUnknownLengthHoldFiveTebibytes(mebibytes: Int) {
        let sizes = PartSizes(growingFrom: mebibytes << 20)
        var offset: Int64 = 0
        for number in 1...PartSizes.mostParts {
            #expect(sizes.offset(ofPart: number) == offset, "part \(number)")
            let size = sizes.size(ofPart: number)
            #expect(size >= sizes.first && size <= PartSizes.largest)
            if number <= 2000 { #expect(size == sizes.first) }
            if number > 1 { #expect(size - sizes.size(ofPart: number - 1) <= 16 << 20) }
            offset += Int64(size)
        }
        #expect(offset >= PartSizes.longestObject)
        // No part needs much more memory than equal ones for the longest object would.
        #expect(sizes.size(ofPart: PartSizes.mostParts) <= 1312 << 20)
    }

    @Test func uploadsOfOlderVersionsHaveEqualParts() {
        let upload = MultipartUpload(key: "k", id: "u", partSize: 9 << 20)
        #expect(upload.sizes == PartSizes(equal: 9 << 20))
        #expect(MultipartUpload(key: "k", id: "u", sizes: PartSizes(growingFrom: 8 << 20)).sizes.grows)
    }
}
