import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

@testable import ClairoMedia

/// A fragment of two samples with known bytes.
enum TinySegment {
    static let samples = [
        Sample(data: Data([0xAA]), duration: 100, compositionOffset: 0, isSync: true),
        Sample(data: Data([0xBB, 0xCC]), duration: 200, compositionOffset: -5, isSync: false),
    ]

    static let hex = """
        00000018 73747970 6d736468 00000000 6d736468 636d6673
        00000078 6d6f6f66
          00000010 6d666864 00000000 00000007
          00000060 74726166
            00000014 74666864 00020020 00000001 01010000
            00000014 74666474 01000000 00000000 000003e8
            00000030 7472756e 01000b05 00000002 00000080 02000000
              00000064 00000001 00000000
              000000c8 00000002 fffffffb
        0000000b 6d646174 aa bbcc
        """

    /// The same samples in the layout of versions that described every sample completely.
    static let oldHex = """
        0000001c 73747970 6d736468 00000000 6d736468 6d736978 636d6673
        00000078 6d6f6f66
          00000010 6d666864 00000000 00000007
          00000060 74726166
            00000010 74666864 00020000 00000001
            00000014 74666474 01000000 00000000 000003e8
            00000034 7472756e 01000f01 00000002 00000080
              00000064 00000001 02000000 00000000
              000000c8 00000002 01010000 fffffffb
        0000000b 6d646174 aa bbcc
        """

    static func make(fragments: [[Sample]] = [samples]) -> Data {
        FragmentWriter.segment(fragments: fragments, firstSequence: 7, decodeTime: 1000)
    }
}

@Suite struct FragmentWriterTests {
    @Test func segmentIsStypThenMoofAndMdat() {
        #expect(TinySegment.make() == Data(hex: TinySegment.hex))
    }

    @Test func fragmentIsNumberedByItsFirstSample() throws {
        let data = TinySegment.make(fragments: [TinySegment.samples, TinySegment.samples])
        let sequences = Boxes.children(data).filter { $0.type == "moof" }.map {
            Boxes(data: $0.payload).payload("mfhd")?.integer(at: 4, 4)
        }
        #expect(sequences == [7, 9])
    }

    @Test func sameSamplesGiveTheSameBytes() {
        #expect(TinySegment.make() == TinySegment.make())
    }

    @Test func segmentWithoutFragmentsIsOnlyItsType() {
        #expect(TinySegment.make(fragments: []).count == 24)
    }

    /// The access units of audio differ in their sizes only; those of AC-3 not even in these.
    @Test(arguments: [
        ([3, 5, 4], "00020028 00000001 00000400 02000000", "01000201 00000003 00000074 00000003 00000005 00000004"),
        ([4, 4], "00020038 00000001 00000400 00000004 02000000", "01000001 00000002 0000006c"),
    ])
    func whatSamplesHaveInCommonIsWrittenOnce(sizes: [Int], header: String, run: String) throws {
        let samples = sizes.map {
            Sample(data: Data(count: $0), duration: 1024, compositionOffset: 0, isSync: true)
        }
        let data = TinySegment.make(fragments: [samples])
        let boxes = Boxes(data: data)
        #expect(boxes.payload("moof/traf/tfhd") == Data(hex: header))
        #expect(boxes.payload("moof/traf/trun") == Data(hex: run))
        #expect(try FragmentReader.fragments(of: data).first?.samples.map(\.size) == sizes)
    }
}

@Suite struct FragmentReaderTests {
    @Test func aWrittenFragmentIsReadBack() throws {
        let fragments = try FragmentReader.fragments(
            of: TinySegment.make(fragments: [TinySegment.samples, TinySegment.samples]))
        #expect(fragments.map(\.offset) == [24, 155])
        #expect(fragments.map(\.decodeTime) == [1000, 1300])
        #expect(
            fragments[0].samples == [
                FragmentReader.Entry(offset: 152, size: 1, duration: 100, compositionOffset: 0, isSync: true),
                FragmentReader.Entry(offset: 153, size: 2, duration: 200, compositionOffset: -5, isSync: false),
            ])
        #expect(fragments[1].samples.map(\.offset) == [283, 284])
    }

    @Test func segmentOfAnOlderVersionIsRead() throws {
        let old = try FragmentReader.fragments(of: Data(hex: TinySegment.oldHex))
        let new = try FragmentReader.fragments(of: TinySegment.make())
        #expect(old.map(\.decodeTime) == new.map(\.decodeTime))
        #expect(old[0].samples.map(\.isSync) == [true, false])
        #expect(old[0].samples.map(\.duration) == new[0].samples.map(\.duration))
        #expect(old[0].samples.map(\.compositionOffset) == new[0].samples.map(\.compositionOffset))
        #expect(old[0].samples.map(\.offset) == [156, 157])
    }

    @Test func aRunThatLimitsItsSamplesByNothingIsAnError() {
        // Two samples of equal size and duration, declared to be four billion of no bytes.
        var data = TinySegment.make(fragments: [
            Array(repeating: Sample(data: Data(), duration: 1, compositionOffset: 0, isSync: true), count: 2)
        ])
        guard let run = data.range(of: Data("trun".utf8)) else {
            Issue.record("no trun")
            return
        }
        data.replaceSubrange(run.upperBound + 4..<run.upperBound + 8, with: Data(repeating: 0xFF, count: 4))
        #expect(throws: ClairoError.self) { try FragmentReader.fragments(of: data) }
    }

    @Test func segmentOfRandomSamplesSurvivesTheRoundTrip() throws {
        var generator = SeededGenerator(seed: 21)
        for _ in 0..<50 {
            let fragments = (0..<Int.random(in: 1...4, using: &generator)).map { _ in
                (0..<Int.random(in: 1...60, using: &generator)).map { index in
                    Sample(
                        data: Data(repeating: UInt8(index), count: .random(in: 0...500, using: &generator)),
                        duration: .random(in: 0 ... .max, using: &generator),
                        compositionOffset: .random(in: .min ... .max, using: &generator), isSync: index == 0)
                }
            }
            let data = FragmentWriter.segment(
                fragments: fragments, firstSequence: 1, decodeTime: .random(in: 0...1 << 60, using: &generator)
            )
            let read = try FragmentReader.fragments(of: data).map { fragment in
                fragment.samples.map {
                    Sample(
                        data: data.subdata(in: $0.offset..<$0.offset + $0.size), duration: $0.duration,
                        compositionOffset: $0.compositionOffset, isSync: $0.isSync)
                }
            }
            #expect(read == fragments)
        }
    }

    @Test func aSliceOfALargerBufferIsReadLikeACopy() throws {
        let data = TinySegment.make()
        let slice = (Data(repeating: 0xEE, count: 13) + data).dropFirst(13)
        #expect(try FragmentReader.fragments(of: slice) == FragmentReader.fragments(of: data))
    }

    @Test func everyTruncationInsideAFragmentIsAnError() throws {
        let data = TinySegment.make()
        for length in 1..<data.count where length != 24 {
            #expect(throws: ClairoError.self, "cut at \(length)") {
                try FragmentReader.fragments(of: data.prefix(length))
            }
        }
        #expect(try FragmentReader.fragments(of: data.prefix(24)).isEmpty)
    }

    /// A change of one 32-bit word, and what it breaks.
    @Test(
        arguments: [
            (24, 0x79, "moof overlaps mdat"), (24, 7, "moof is shorter than its header"), (24, .max, "moof is endless"),
            (64, 0x0002_0021, "tfhd has other fields"), (104, 0x0100_0B04, "trun has no data offset"),
            (104, 0x0100_1B05, "trun has other fields"), (104, 0x0100_0A05, "nothing says the durations"),
            (108, 3, "too many samples"), (108, 1, "too few samples"),
            (108, .max, "a sample count that cannot be"), (112, 0x81, "data offset"),
            (112, .max, "negative data offset"),
            (124, 2, "sample sizes exceed mdat"), (124, .max, "a huge sample"), (136, 1, "sample sizes leave a rest"),
            (144, 10, "mdat is too short"), (144, 12, "mdat ends behind the file"),
            (148, 0x6672_6565, "moof without mdat"),
            (28, 0x6672_6565, "mdat without moof"),
        ] as [(Int, UInt32, String)])
    func invalidFieldsAreErrors(offset: Int, value: UInt32, what: String) {
        var data = TinySegment.make()
        withUnsafeBytes(of: value.bigEndian) { data.replaceSubrange(offset..<offset + 4, with: $0) }
        #expect(throws: ClairoError.self, Comment(rawValue: what)) { try FragmentReader.fragments(of: data) }
    }

    @Test func damagedSegmentsAreErrorsAndNeverPointOutside() {
        var generator = SeededGenerator(seed: 4)
        let original = TinySegment.make(fragments: [TinySegment.samples, TinySegment.samples])
        var accepted = 0
        for _ in 0..<5000 {
            let data = original.mutated(using: &generator)
            guard let fragments = try? FragmentReader.fragments(of: data) else { continue }
            accepted += 1
            for entry in fragments.flatMap(\.samples) {
                #expect(entry.offset >= 0 && entry.size >= 0 && entry.offset + entry.size <= data.count)
            }
        }
        // Some damage only affects sample data or times.
        #expect((1..<5000).contains(accepted))
    }
}

extension Data {
    /// Bytes from hexadecimal digits. Spaces and line ends are ignored.
    init(hex: String) {
        let digits = hex.compactMap(\.hexDigitValue).map(UInt8.init)
        self.init(stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] })
    }
}
