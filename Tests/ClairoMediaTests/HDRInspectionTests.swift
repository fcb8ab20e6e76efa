import ClairoCore
import Testing

@testable import ClairoMedia
@testable import Libav

/// Static metadata of HDR10 is kept if it makes sense.
@Suite struct HDRInspectionTests {
    private static func display(max: Int = 10_000_000, min: Int = 1, red: (Int, Int) = (34_000, 16_000))
        -> HDRMetadata.Display
    {
        HDRMetadata.Display(
            red: HDRMetadata.Point(x: red.0, y: red.1), green: HDRMetadata.Point(x: 13_250, y: 34_500),
            blue: HDRMetadata.Point(x: 7_500, y: 3_000), white: HDRMetadata.Point(x: 15_635, y: 16_450),
            maxLuminance: max, minLuminance: min)
    }

    private static func inspect(
        _ bitstream: HDRMetadata?, container: HDRMetadata? = nil, range: DynamicRange = .hdr10
    ) -> HDRInspection { HDRInspection(bitstream: bitstream, container: container, range: range) }

    private static let whole = HDRMetadata(
        display: display(), light: HDRMetadata.Light(maxContent: 1000, maxFrameAverage: 400))

    @Test func metadataIsTakenFromTheBitstreamOrElseTheContainer() {
        for found in [
            Self.inspect(Self.whole), Self.inspect(nil, container: Self.whole),
            Self.inspect(HDRMetadata(display: nil, light: nil), container: Self.whole),
            Self.inspect(Self.whole, container: Self.whole),
        ] {
            #expect(found.masteringDisplay?.red == MasteringDisplay.Chromaticity(x: 34_000, y: 16_000))
            #expect(found.masteringDisplay?.maxLuminance == 10_000_000 && found.masteringDisplay?.minLuminance == 1)
            #expect(found.contentLight == ContentLight(maxContent: 1000, maxFrameAverage: 400))
            #expect(found.warnings.isEmpty)
        }
        let none = Self.inspect(nil)
        #expect(none.masteringDisplay == nil && none.contentLight == nil && none.warnings.isEmpty)
    }

    @Test func contradictionsAreWarnings() {
        let other = HDRMetadata(
            display: Self.display(max: 40_000_000), light: HDRMetadata.Light(maxContent: 900, maxFrameAverage: 400))
        let found = Self.inspect(Self.whole, container: other)
        #expect(found.masteringDisplay?.maxLuminance == 10_000_000 && found.contentLight?.maxContent == 1000)
        #expect(found.warnings.map(\.code) == [.colorContradiction, .colorContradiction])
        let sdr = Self.inspect(Self.whole, range: .sdr)
        #expect(sdr.masteringDisplay == nil && sdr.contentLight == nil)
        #expect(sdr.warnings.map(\.code) == [.colorContradiction])
        #expect(Self.inspect(Self.whole, range: .hlg).warnings.isEmpty)
    }

    @Test(arguments: [(0, 0), (1_000, 1_000), (1_000, 2_000), (100_000_001, 1), (1_000, -1)])
    func impossibleLuminancesAreLeftOut(max: Int, min: Int) {
        let found = Self.inspect(HDRMetadata(display: Self.display(max: max, min: min), light: nil))
        #expect(found.masteringDisplay == nil && found.warnings.count == 1)
    }

    @Test(arguments: [(0, 0), (50_000, 1), (-1, 100), (60_000, 10)])
    func impossibleChromaticitiesAreLeftOut(x: Int, y: Int) {
        let found = Self.inspect(HDRMetadata(display: Self.display(red: (x, y)), light: nil))
        #expect(found.masteringDisplay == nil && found.warnings.count == 1)
    }

    @Test(arguments: [(400, 1000, true), (0, 400, true), (10_001, 400, true), (0, 0, false)])
    func impossibleContentLightLevelsAreLeftOut(max: Int, average: Int, warns: Bool) {
        let light = HDRMetadata.Light(maxContent: max, maxFrameAverage: average)
        let found = Self.inspect(HDRMetadata(display: nil, light: light))
        #expect(found.contentLight == nil && found.warnings.count == (warns ? 1 : 0))
    }
}
