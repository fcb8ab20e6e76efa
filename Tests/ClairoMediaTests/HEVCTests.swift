import ClairoCore
import Foundation
import Testing

@testable import ClairoMedia

@Suite struct HEVCTests {
    /// Parameter sets of x265 for 320x180: Main in 8 bits, and Main 10 with PQ.
    static let vps = "40010c01ffff01600000030090000003000003003c959809"
    static let sps =
        "42010101600000030090000003000003003ca00a080b9f796566924caf016a02020208000003000800000300c040"
    static let pps = "4401c172b42240"
    static let vps10 = "40010c01ffff02200000030090000003000003003c959809"
    static let sps10 =
        "42010102200000030090000003000003003ca00a080b9f6d96566924caf016a122012080000003008000000c04"

    /// The record that libavformat writes for the same parameter sets.
    @Test(arguments: [
        (
            [vps, sps, pps],
            "0101600000009000000000003cf000fcfdf8f800000f03a000010018\(vps)a10001002e\(sps)a200010007\(pps)",
            "hvc1.1.6.L60.90"
        ),
        (
            [vps10, sps10, pps],
            "0102200000009000000000003cf000fcfdfafa00000f03a000010018\(vps10)a10001002d\(sps10)a200010007\(pps)",
            "hvc1.2.4.L60.90"
        ),
    ])
    func configurationDescribesTheParameterSets(units: [String], record: String, codec: String) throws {
        let extradata = units.reduce(Data()) { $0 + Data(hex: "00000001") + Data(hex: $1) }
        let configuration = try #require(HEVC.configuration(extradata: extradata))
        #expect(configuration == Data(hex: record))
        #expect(HEVC.codecString(configuration: configuration) == codec)
        // Other units, such as SEI, are not part of it.
        #expect(HEVC.configuration(extradata: extradata + Data(hex: "00000001 4e01 891800")) == configuration)
    }

    @Test func configurationNeedsAllParameterSets() {
        let units = [Self.vps, Self.sps, Self.pps].map(Data.init(hex:))
        for index in units.indices {
            var rest = units
            rest.remove(at: index)
            #expect(HEVC.configuration(units: rest) == nil)
        }
        #expect(HEVC.configuration(units: []) == nil)
        // A sequence parameter set that ends early, at each byte.
        for count in 0..<24 {
            #expect(HEVC.configuration(units: [units[0], units[1].prefix(count), units[2]]) == nil, "\(count) bytes")
        }
    }

    /// libav reports no delay for x265.
    @Test func delayIsReadFromTheParameterSets() throws {
        let parameters = try #require(HEVC.SequenceParameters(Data(hex: Self.sps10)))
        #expect(parameters.reorderDelay == 2 && parameters.lumaDepth == 10 && parameters.chromaFormat == 1)
    }

    @Test(
        arguments: [
            ("0101600000009000000000005d", "hvc1.1.6.L93.90"), ("010220000000b0000000000078", "hvc1.2.4.L120.B0"),
            ("0122200000009000000000007b", "hvc1.2.4.H123.90"), ("0101600000000000000000001e", "hvc1.1.6.L30"),
            ("014160000000b00102000000b4", "hvc1.A1.6.L180.B0.1.2"), ("01016000000090", nil), ("", nil),
        ] as [(String, String?)])
    func codecStringIsProfileTierLevelAndConstraints(configuration: String, codec: String?) {
        #expect(HEVC.codecString(configuration: Data(hex: configuration)) == codec)
        #expect(HEVC.codecString(configuration: (Data([9]) + Data(hex: configuration)).dropFirst()) == codec)
    }

    @Test func sampleKeepsSlicesAndWhatDescribesHDR() {
        // Delimiter, parameter sets, SEI with the encoder's banner, mastering display, content light level, IDR, end.
        let units = [
            "460150", Self.vps, Self.sps, Self.pps, "4e0105ff", "4e018918", "4e01900403e8", "2801af", "0201d0", "4a01",
        ]
        let packet = units.reduce(Data()) { $0 + Data(hex: "000001") + Data(hex: $1) }
        #expect(
            HEVC.sample(packet: packet)
                == Data(hex: "00000004 4e018918 00000006 4e01900403e8 00000003 2801af 00000003 0201d0"))
        // The type of a payload may have several bytes.
        #expect(HEVC.sample(from: [Data(hex: "4e01ff10"), Data(hex: "4e01"), Data(hex: "4e01ff")]) == Data())
    }

    @Test(arguments: [
        ("00000003 2801af", true), ("00000003 2601af", true), ("00000003 0201d0", false),
        // A clean random access picture may be followed by pictures that refer to what is before.
        ("00000003 2a01af", false), ("00000004 4e018918 00000003 2801af", true), ("00000009 2801", false), ("", false),
    ])
    func decodingBeginsAtAnIDR(sample: String, isKey: Bool) {
        #expect(HEVC.isKeyFrame(sample: Data(hex: sample)) == isKey)
    }

    @Test func sourceIsCopiedWithTheParameterSetsOfItsContainer() throws {
        let record =
            "0101600000009000000000003cf000fcfdf8f800000f03a000010018\(Self.vps)a10001002e\(Self.sps)a200010007\(Self.pps)"
        let made = try #require(HEVCFormat(record: Data(hex: record)))
        #expect(made.configuration == Data(hex: record) && made.codecs == ["hvc1.1.6.L60.90", "hvc1.1.6.L60.90"])
        // Lengths of two bytes, and arrays that need not be complete, as in hev1.
        let other = record.replacing("00000f03a0", with: "00000d0320")
        let format = try #require(HEVCFormat(record: Data(hex: other)))
        #expect(format.configuration == Data(hex: record))
        let picture = try #require(format.picture(Data(hex: "0007 \(Self.pps) 0003 2801af")))
        #expect(
            picture
                == CopiedPicture(sample: Data(hex: "00000003 2801af"), isKeyFrame: true, changesParameters: false))
        #expect(format.picture(Data(hex: "0007 4401c172b42241 0003 0201d0"))?.changesParameters == true)
        #expect(format.picture(Data(hex: "0009 2801")) == nil)
        for count in [0, 22, 23, 40, Data(hex: record).count - 1] {
            #expect(HEVCFormat(record: Data(hex: record).prefix(count)) == nil)
        }
    }

    @Test(arguments: [
        (3840, 2160, Rational(60), true), (7680, 4320, Rational(60), true), (8192, 4320, Rational(120), true),
        (8192, 4320, Rational(121), false), (8194, 4320, Rational(25), false), (4320, 7680, Rational(60), true),
        (16, 16, Rational(1), true), (16, 14, Rational(1), false),
    ])
    func sizesBetween16PixelsAndLevel62AreMade(width: Int, height: Int, rate: Rational, fits: Bool) {
        #expect(HEVC.fits(size: FrameSize(width: width, height: height), frameRate: rate) == fits)
    }

    @Test(
        arguments: [
            ("hvc1.1.6.L93.90", 1280, 720, 30, 4_000_000, nil), ("hvc1.2.4.L120.90", 1920, 1080, 30, 0, nil),
            ("hvc1.1.6.L93.90", 1280, 720, 60, 0, "level 3.1 does not allow 1280x720 at 60/1 frames per second"),
            ("hvc1.1.6.L90.90", 1280, 720, 25, 0, "level 3 does not allow 1280x720 at 25/1 frames per second"),
            (
                "hvc1.1.6.L30.90", 160, 90, 25, 900_000,
                "level 1 does not allow 160x90 at 25/1 frames per second and 900 kbit/s"
            ),
            // The High tier allows more.
            ("hvc1.1.6.H120.90", 1920, 1080, 25, 25_000_000, nil),
            ("hvc1.1.6.L100.90", 160, 90, 25, 0, "level_idc 100 is none of the levels up to 6.2"),
            ("avc1.64001f", 160, 90, 25, 0, "avc1.64001f names no level"),
            ("hvc1.1.6", 160, 90, 25, 0, "hvc1.1.6 names no level"),
        ] as [(String, Int, Int, Int64, Int64, String?)])
    func aLevelMustAllowSizeAndRate(
        codec: String, width: Int, height: Int, rate: Int64, bitRate: Int64, problem: String?
    ) {
        let found = HEVC.levelProblem(
            codec: codec, size: FrameSize(width: width, height: height), frameRate: Rational(rate), bitRate: bitRate)
        #expect(found == problem)
    }

    @Test func limitsGrowWithTheLevel() {
        #expect(
            zip(HEVC.Level.all, HEVC.Level.all.dropFirst()).allSatisfy { lower, higher in
                lower.idc < higher.idc && lower.frameSize <= higher.frameSize && lower.sampleRate <= higher.sampleRate
                    && lower.bitRate <= higher.bitRate
            })
    }
}
