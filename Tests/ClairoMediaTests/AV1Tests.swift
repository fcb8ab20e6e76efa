import ClairoCore
import Foundation
import Testing

@testable import ClairoMedia

@Suite struct AV1Tests {
    /// Sequence headers of SVT-AV1 for 320x180: BT.709 in 8 bits, and PQ in 10 bits.
    static let header = "0a0e000000043cfeccfbf99010101040"
    static let header10 = "0a0e000000043cfeccfbf9d091009040"
    static let delimiter = "1200"
    /// A frame OBU with the first bits of a frame header: a key frame that is shown, and an inter frame.
    static let keyFrame = "32031000aa"
    static let interFrame = "32033000aa"

    /// The record that libavformat writes for the same sequence header.
    @Test(arguments: [
        (header, "81000c00", "av01.0.00M.08"), (header10, "81004c00", "av01.0.00M.10.0.110.09.16.09.0"),
        // Colours that are not specified.
        ("0a0b00000003bffc7805f00080", "81000c00", "av01.0.00M.08"),
        // 854x480 at 24 frames per second: level 3.0.
        ("0a0b00000024c6abdf3efe4090", "81040d00", "av01.0.04M.08"),
    ])
    func configurationDescribesTheSequenceHeader(header: String, record: String, codec: String) throws {
        let configuration = try #require(AV1.configuration(extradata: Data(hex: header)))
        #expect(configuration == Data(hex: record + header))
        #expect(AV1.codecString(configuration: configuration) == codec)
        // In a temporal unit, too.
        let unit = Data(hex: Self.delimiter + header + Self.keyFrame)
        #expect(AV1.configuration(extradata: unit) == configuration)
    }

    @Test func configurationNeedsASequenceHeader() {
        #expect(AV1.configuration(extradata: Data()) == nil)
        #expect(AV1.configuration(extradata: Data(hex: Self.delimiter)) == nil)
        // A header that ends early, at each byte.
        for count in 0..<12 {
            let payload = Data(hex: Self.header10).dropFirst(2).prefix(count)
            #expect(AV1.configuration(extradata: Data([0x0A, UInt8(count)]) + payload) == nil, "\(count) bytes")
        }
    }

    @Test(
        arguments: [
            ("81080c00", "av01.0.08M.08"), ("810dcc00", "av01.0.13H.10"), ("814c6c00", "av01.2.12M.12"), ("8108", nil),
        ] as [(String, String?)])
    func codecStringIsProfileLevelTierAndDepth(configuration: String, codec: String?) {
        #expect(AV1.codecString(configuration: Data(hex: configuration)) == codec)
    }

    @Test func temporalUnitIsSplitIntoItsUnits() {
        let units = AV1.units(Data(hex: Self.delimiter + Self.header + Self.keyFrame))
        #expect(units?.map(\.type) == [2, 1, 6])
        #expect(units?.last?.payload == Data(hex: "1000aa"))
        // An extension byte, and a size of two bytes.
        #expect(AV1.units(Data(hex: "36 08 8100 aa"))?.first?.payload == Data(hex: "aa"))
        for damaged in ["32", "3205aa", "30aa", "b20110", "3280808080808080808001"] {
            #expect(AV1.units(Data(hex: damaged)) == nil, "\(damaged)")
        }
        #expect(AV1.units(Data()) == [])
    }

    @Test func sampleHasNeitherDelimitersNorPadding() {
        let metadata = "2a060103e8019080"
        let packet = Self.delimiter + Self.header10 + metadata + Self.keyFrame + "7a0100" + "3a0110"
        #expect(AV1.sample(packet: Data(hex: packet)) == Data(hex: Self.header10 + metadata + Self.keyFrame))
    }

    @Test(
        arguments: [
            ([header, keyFrame], true), ([header, "2a060103e8019080", keyFrame], true),
            // Sync samples hold the sequence header.
            ([keyFrame], false), ([keyFrame, header], false), ([header, interFrame], false),
            // A key frame that is not shown, and an existing frame that is shown.
            ([header, "32030000aa"], false), ([header, "1a0190"], false), ([header], false), (["3205"], false),
        ] as [([String], Bool)])
    func decodingBeginsAtAShownKeyFrame(units: [String], isKey: Bool) {
        #expect(AV1.isKeyFrame(sample: Data(hex: units.joined())) == isKey)
    }

    @Test func sourceIsCopiedWithTheSequenceHeaderOfItsContainer() throws {
        let record = "81000c00" + Self.header
        let format = try #require(AV1Format(record: Data(hex: record)))
        #expect(format.configuration == Data(hex: record) && format.codecs == ["av01.0.00M.08", "av01.0.00M.08"])
        let sample = Data(hex: Self.header + Self.keyFrame)
        #expect(
            format.picture(Data(hex: Self.delimiter) + sample)
                == CopiedPicture(sample: sample, isKeyFrame: true, changesParameters: false))
        #expect(format.picture(Data(hex: Self.header10 + Self.keyFrame))?.changesParameters == true)
        #expect(format.picture(Data(hex: "3205aa")) == nil)
        for record in ["81000c00", "", "01000c00" + Self.header, "81000c000a0e00"] {
            #expect(AV1Format(record: Data(hex: record)) == nil)
        }
    }

    @Test func sequenceHeaderOfTheFirstSampleReplacesThatOfTheContainer() throws {
        let format = try #require(AV1Format(record: Data(hex: "81000c00" + Self.header)))
        let sample = Data(hex: Self.header10 + Self.keyFrame)
        let corrected = format.corrected(by: Data(hex: Self.delimiter) + sample)
        #expect(corrected.configuration == Data(hex: "81004c00" + Self.header10))
        #expect(corrected.codecs == ["av01.0.00M.08", "av01.0.00M.10.0.110.09.16.09.0"])
        #expect(corrected.picture(sample)?.changesParameters == false)
        #expect(corrected.picture(Data(hex: Self.header + Self.keyFrame))?.changesParameters == true)
        for other in [Self.interFrame, "3205aa"] {
            #expect(format.corrected(by: Data(hex: other)).configuration == format.configuration)
        }
    }

    @Test(arguments: [
        (3840, 2160, Rational(60), true), (7680, 4320, Rational(120), true), (8194, 4320, Rational(25), false),
        (64, 64, Rational(25), true), (64, 62, Rational(25), false), (4320, 7680, Rational(60), true),
    ])
    func sizesBetween64PixelsAndLevel63AreMade(width: Int, height: Int, rate: Rational, fits: Bool) {
        #expect(AV1.fits(size: FrameSize(width: width, height: height), frameRate: rate) == fits)
    }

    @Test(
        arguments: [
            ("av01.0.08M.08", 1920, 1080, 30, 6_000_000, nil),
            ("av01.0.13M.10.0.110.09.16.09.0", 3840, 2160, 60, 0, nil),
            ("av01.0.08M.08", 1920, 1080, 60, 0, "level 4.0 does not allow 1920x1080 at 60/1 frames per second"),
            (
                "av01.0.00M.08", 160, 90, 25, 2_000_000,
                "level 2.0 does not allow 160x90 at 25/1 frames per second and 2000 kbit/s"
            ),
            ("av01.0.02M.08", 160, 90, 25, 0, "seq_level_idx 2 is none of the levels up to 6.3"),
            ("av01.0", 160, 90, 25, 0, "av01.0 names no level"),
        ] as [(String, Int, Int, Int64, Int64, String?)])
    func aLevelMustAllowSizeAndRate(
        codec: String, width: Int, height: Int, rate: Int64, bitRate: Int64, problem: String?
    ) {
        let found = AV1.levelProblem(
            codec: codec, size: FrameSize(width: width, height: height), frameRate: Rational(rate), bitRate: bitRate)
        #expect(found == problem)
    }

    @Test func limitsGrowWithTheLevel() {
        #expect(
            zip(AV1.Level.all, AV1.Level.all.dropFirst()).allSatisfy { lower, higher in
                lower.index < higher.index && lower.frameSize <= higher.frameSize
                    && lower.displayRate <= higher.displayRate && lower.bitRate <= higher.bitRate
            })
    }
}
