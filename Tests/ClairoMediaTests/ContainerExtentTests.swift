import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

@testable import ClairoMedia

@Suite struct ContainerExtentTests {
    private static func box(_ type: String, _ payload: Int, size: UInt32? = nil, largeSize: UInt64? = nil) -> Data {
        var writer = BoxWriter()
        writer.u32(size ?? UInt32(payload + 8))
        writer.text(type)
        if let largeSize { writer.u64(largeSize) }
        writer.zeros(payload)
        return writer.data
    }

    private static func missing(_ data: Data, format: String = "mov,mp4,m4a,3gp,3g2,mj2") throws -> Int64? {
        try ContainerExtent.missingBytes(in: MemorySource(data), format: format)
    }

    private static let movie = box("ftyp", 16) + box("moov", 100) + box("mdat", 1000)

    @Test func aCompleteFileLacksNoBytes() throws {
        #expect(try Self.missing(Self.movie) == nil)
        #expect(try Self.missing(Data()) == nil)
    }

    @Test(arguments: [1, 500, 999, 1000])
    func countsTheBytesMissingFromTheLastBox(missing: Int) throws {
        #expect(try Self.missing(Self.movie.dropLast(missing)) == Int64(missing))
    }

    @Test func detectsEveryTruncationExceptBetweenBoxes() throws {
        for length in 0..<Self.movie.count {
            let missing = try Self.missing(Self.movie.prefix(length))
            // A cut between two boxes looks like the end.
            if [0..<8, 24..<32, 132..<140].contains(where: { $0.contains(length) }) {
                #expect(missing == nil)
            } else {
                #expect(missing != nil)
            }
        }
    }

    @Test func bytesAfterTheLastBoxAreCounted() throws {
        #expect(try ContainerExtent.bytesAfterMP4(MemorySource(Self.movie)) == 0)
        #expect(try ContainerExtent.bytesAfterMP4(MemorySource(Self.movie + Data(repeating: 0xA5, count: 70))) == 70)
        #expect(try ContainerExtent.bytesAfterMP4(MemorySource(Self.movie.dropLast(10))) == 0)
        #expect(try ContainerExtent.bytesAfterMP4(MemorySource(Data())) == 0)
    }

    // MARK: - Joined files

    private static func files(_ data: Data, format: String = "mov,mp4,m4a,3gp,3g2,mj2") throws -> [Int64] {
        try ContainerExtent.files(in: MemorySource(data), format: format)
    }

    @Test func findsEachOfSeveralMP4Files() throws {
        #expect(try Self.files(Self.movie) == [0])
        let length = Int64(Self.movie.count)
        #expect(try Self.files(Self.movie + Self.movie + Self.movie) == [0, length, 2 * length])
    }

    @Test func aFragmentedMP4IsOneFile() throws {
        let fragments = Self.movie + Self.box("moof", 50) + Self.box("mdat", 100)
        #expect(try Self.files(fragments + fragments) == [0])
    }

    @Test func findsEachOfSeveralWAVFiles() throws {
        let file = MemoryMedia.wav(samples: 100)
        #expect(try Self.files(file, format: "wav") == [0])
        #expect(try Self.files(file + file, format: "wav") == [0, Int64(file.count)])
    }

    @Test func findsEachOfSeveralMatroskaFilesUnlessTheirSizeIsUnknown() throws {
        // An EBML header without content, and a Segment of 100 bytes.
        let header: [UInt8] = [0x1A, 0x45, 0xDF, 0xA3, 0x80, 0x18, 0x53, 0x80, 0x67]
        let known = Data(header + [0xE4] + [UInt8](repeating: 0, count: 100))
        #expect(try Self.files(known, format: "matroska,webm") == [0])
        #expect(try Self.files(known + known, format: "matroska,webm") == [0, Int64(known.count)])
        let unknown = Data(header + [0xFF] + [UInt8](repeating: 0, count: 100))
        #expect(try Self.files(unknown + known, format: "matroska,webm") == [0])
    }

    @Test(arguments: [1, 7, 13, 64, 4096])
    func findsEachOfSeveralFLVFilesHoweverTheyAreRead(chunk: Int) throws {
        let header: [UInt8] = [0x46, 0x4C, 0x56, 1, 5, 0, 0, 0, 9, 0, 0, 0, 0]
        let file = Data(header + [UInt8](repeating: 0x46, count: 200))
        let source = FLVHeaders(MemorySource(file + file + file))
        var offset: Int64 = 0
        // The rest is read when the result is asked for.
        while offset < 250 { offset += Int64(try source.part(at: offset, atMost: chunk).count) }
        let length = Int64(file.count)
        #expect(try source.files() == [0, length, 2 * length])
    }

    @Test func aPartAtTheEndMayBeShorterThanAsked() throws {
        let source = MemorySource(Data([1, 2, 3]))
        #expect(try source.part(at: 1, atMost: 9) == Data([2, 3]))
        #expect(try source.part(at: 3, atMost: 9).isEmpty)
        #expect(throws: ClairoError.self) { try source.part(at: 1, count: 3) }
    }

    @Test func aBoxOfSizeZeroExtendsToTheEnd() throws {
        #expect(try Self.missing(Self.box("ftyp", 16) + Self.box("mdat", 50, size: 0)) == nil)
    }

    @Test func aBoxOfSizeOneHasA64BitLength() throws {
        let head = Self.box("ftyp", 16)
        #expect(try Self.missing(head + Self.box("mdat", 50, size: 1, largeSize: 66)) == nil)
        #expect(try Self.missing(head + Self.box("mdat", 50, size: 1, largeSize: 67)) == 1)
        #expect(try Self.missing(head + Self.box("mdat", 0, size: 1, largeSize: 1 << 40)) == (1 << 40) - 16)
        #expect(try Self.missing(head + Self.box("mdat", 0, size: 1)) == nil)
    }

    @Test(arguments: [0, 7, 15, .max, UInt64(Int64.max), UInt64(Int64.max) - 24] as [UInt64])
    func absurdlyLargeSizesDoNotTrap(size: UInt64) throws {
        _ = try Self.missing(Self.box("ftyp", 16) + Self.box("mdat", 8, size: 1, largeSize: size))
    }

    @Test func bytesAfterAnUnknownBoxAreIgnored() throws {
        #expect(try Self.missing(Self.box("ftyp", 16) + Self.box("XXXX", 0, size: 9999)) == nil)
        #expect(try Self.missing(Self.box("ftyp", 16) + Self.box("mdat", 0, size: 7)) == nil)
    }

    /// An EBML header and a Segment with the size field given.
    private static func matroska(size: [UInt8], payload: Int) -> Data {
        Data([0x1A, 0x45, 0xDF, 0xA3, 0x84, 1, 2, 3, 4, 0x18, 0x53, 0x80, 0x67] + size)
            + Data(repeating: 0, count: payload)
    }

    @Test(
        arguments: [
            ([0x01, 0, 0, 0, 0, 0, 0, 100], 100, nil), ([0x01, 0, 0, 0, 0, 0, 0, 100], 90, 10),
            ([0x80 | 100], 100, nil),
            ([0x80 | 100], 1, 99), ([0x40, 100], 99, 1),
            // Unknown sizes, as live streams have them.
            ([0xFF], 50, nil), ([0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], 50, nil),
            // No valid length.
            ([0x00], 50, nil), ([0x01, 0], 0, nil), ([], 0, nil),
        ] as [([UInt8], Int, Int64?)])
    func readsTheLengthOfAMatroskaSegment(size: [UInt8], payload: Int, missing: Int64?) throws {
        #expect(try Self.missing(Self.matroska(size: size, payload: payload), format: "matroska,webm") == missing)
    }

    @Test func otherContainersAreIgnored() throws {
        #expect(try Self.missing(Self.movie.dropLast(5), format: "mpegts") == nil)
    }

    @Test func readsASourceThatReturnsOneByteAtATime() throws {
        for (data, format) in [(Self.movie, "mov"), (Self.matroska(size: [0x80 | 100], payload: 100), "matroska")] {
            let cut = MemorySource(data.dropLast(3), largestRead: 1)
            #expect(try ContainerExtent.missingBytes(in: cut, format: format) == 3)
        }
    }

    @Test func aSourceThatShrinksDoesNotTrap() throws {
        let source = MemorySource(Self.movie.prefix(28), claimedSize: 4000)
        #expect(try ContainerExtent.missingBytes(in: source, format: "mov") == nil)
    }

    @Test(arguments: ["mov", "matroska"])
    func garbageDoesNotTrap(format: String) throws {
        var generator = SeededGenerator(seed: 8)
        let originals = [Self.movie.prefix(200), Self.matroska(size: [0x01, 0, 0, 0, 0, 0, 0, 100], payload: 100)]
        for _ in 0..<3000 {
            let data = originals.randomElement(using: &generator).map { $0.mutated(using: &generator) } ?? Data()
            _ = try Self.missing(data, format: format)
        }
    }
}

extension ContainerExtentTests {
    @Test func detectsAnMP4WithoutACompleteIndex() throws {
        func lacksIndex(_ data: Data) throws -> Bool { try ContainerExtent.lacksIndex(MemorySource(data)) }
        #expect(try !lacksIndex(Self.movie) && !lacksIndex(Self.movie.dropLast(500)))
        #expect(try lacksIndex(Self.movie.prefix(100)), "cut in the index")
        #expect(try lacksIndex(Self.movie.prefix(24)), "cut before the index")
        let indexLast = Self.box("ftyp", 16) + Self.box("mdat", 1000) + Self.box("moov", 100)
        #expect(try !lacksIndex(indexLast) && lacksIndex(indexLast.dropLast(1)) && lacksIndex(indexLast.prefix(500)))
        #expect(try !lacksIndex(Self.box("ftyp", 16) + Self.box("moof", 50) + Self.box("mdat", 50)))
        #expect(try !lacksIndex(Data("<html></html>, long enough".utf8)) && !lacksIndex(Data()))
    }
}
