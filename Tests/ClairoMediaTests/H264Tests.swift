import Foundation
import Testing

@testable import ClairoMedia

@Suite struct H264Tests {
    /// Parameter sets of x264 for 1280x720 at High, level 3.1.
    static let sps = Data(hex: "6764001facd9405005bb011000000300100000030320f1831960")
    static let pps = Data(hex: "68ebe3cb22c0")

    @Test(arguments: [
        ("000001 6742 000001 68ce 000001 6588", ["6742", "68ce", "6588"]),
        ("00000001 6742 00000001 68ce 00000001 6588", ["6742", "68ce", "6588"]),
        ("00000001 6742 000001 68ce", ["6742", "68ce"]),
        // Emulation prevention keeps 000003; zeros inside a unit are no start code.
        ("000001 65 000003 01 0000 02", ["650000030100 0002"]), ("000001 41000041", ["41000041"]),
        ("000001 000001 41", ["", "41"]), ("000001", [""]), ("", []), ("00", []), ("0000", []), ("41424344", []),
        ("deadbeef 000001 41", ["41"]),
    ])
    func byteStreamIsSplitAtItsStartCodes(stream: String, units: [String]) {
        #expect(H264.nalUnits(annexB: Data(hex: stream)) == units.map(Data.init(hex:)))
        // The same data in the middle of another buffer.
        let slice = (Data([1, 2, 3]) + Data(hex: stream)).dropFirst(3)
        #expect(H264.nalUnits(annexB: slice) == units.map(Data.init(hex:)))
    }

    @Test(
        arguments: [
            ("00000002 6742 00000001 68", 4, ["6742", "68"]), ("0002 6742 0000 0001 68", 2, ["6742", "", "68"]),
            ("", 4, []),
            ("00000003 6742", 4, nil), ("000000", 4, nil), ("ffffffff 65", 4, nil), ("01 65", 1, ["65"]),
        ] as [(String, Int, [String]?)])
    func lengthPrefixesOfUnitsAreChecked(sample: String, lengthSize: Int, units: [String]?) {
        #expect(
            H264.nalUnits(lengthPrefixed: Data(hex: sample), lengthSize: lengthSize) == units?.map(Data.init(hex:)))
    }

    @Test func sampleKeepsOnlySlices() {
        let units = ["0910", "6764", "68eb", "0605", "6588aa", "419a", "0cff"].map(Data.init(hex:))
        #expect(H264.sample(from: units) == Data(hex: "00000003 6588aa 00000002 419a"))
        #expect(units.map(H264.type(of:)) == [9, 7, 8, 6, 5, 1, 12])
        #expect(H264.type(of: Data()) == 0)
    }

    @Test func configurationHoldsTheParameterSets() throws {
        let annexB = Data(hex: "00000001") + Self.sps + Data(hex: "000001") + Self.pps
        let record = try #require(H264.configuration(extradata: annexB))
        let high = Data(hex: "01 64001f ff e1 001a") + Self.sps + Data(hex: "01 0006") + Self.pps
        // The High profile and above also record 4:2:0 and 8 bits.
        #expect(record == high + Data(hex: "fdf8f800"))
        #expect(H264.codecString(configuration: record) == "avc1.64001f")
        let baseline = try #require(H264.configuration(sps: [Data(hex: "6742c01e")], pps: [Data(hex: "68ce")]))
        #expect(baseline == Data(hex: "01 42c01e ff e1 0004 6742c01e 01 0002 68ce"))
    }

    @Test func configurationNeedsAParameterSet() {
        #expect(H264.configuration(extradata: Data()) == nil)
        #expect(H264.configuration(sps: [Data(hex: "676400")], pps: []) == nil)
    }

    @Test(
        arguments: [
            ("01640028", "avc1.640028"), ("0142c01eff", "avc1.42c01e"), ("014d401f", "avc1.4d401f"),
            ("01640a0b", "avc1.640a0b"),
            ("016400", nil), ("", nil),
        ] as [(String, String?)])
    func codecStringIsProfileConstraintsAndLevel(configuration: String, codec: String?) {
        #expect(H264.codecString(configuration: Data(hex: configuration)) == codec)
        #expect(H264.codecString(configuration: (Data([9]) + Data(hex: configuration)).dropFirst()) == codec)
    }
}

@Suite struct AACTests {
    @Test(
        arguments: [
            ("1190", "mp4a.40.2"), ("1188", "mp4a.40.2"), ("2b92", "mp4a.40.5"), ("eb8a", "mp4a.40.29"),
            // Object types from 32 on: five ones, then six bits.
            ("f94c", "mp4a.40.42"), ("f8", nil), ("", nil),
        ] as [(String, String?)])
    func codecStringNamesTheObjectType(configuration: String, codec: String?) {
        #expect(AAC.codecString(configuration: Data(hex: configuration)) == codec)
    }
}
