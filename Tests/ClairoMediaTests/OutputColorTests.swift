import ClairoCore
import Testing

@testable import ClairoMedia

@Suite struct OutputColorTests {
    private static let hd = FrameSize(width: 1280, height: 720)
    private static let sd = FrameSize(width: 640, height: 480)
    private static let pal = FrameSize(width: 1024, height: 576)

    private static func color(_ primaries: Int, _ transfer: Int, _ matrix: Int) -> ColorDescription {
        ColorDescription(primaries: primaries, transfer: transfer, matrix: matrix, isFullRange: false)
    }

    @Test func unspecifiedColourFollowsTheSize() {
        for (size, source, wanted) in [
            (Self.hd, Self.color(1, 1, 1), Self.color(1, 1, 1)),
            (FrameSize(width: 720, height: 1280), Self.color(1, 1, 1), Self.color(1, 1, 1)),
            (Self.sd, Self.color(6, 6, 6), Self.color(6, 6, 6)),
            (Self.pal, Self.color(5, 6, 5), Self.color(1, 6, 5)),
            (FrameSize(width: 384, height: 288), Self.color(5, 6, 5), Self.color(1, 6, 5)),
        ] {
            #expect(OutputColor.resolve(.unspecified, size: size, isRGB: false) == source)
            #expect(OutputColor.choose(for: .unspecified, size: size, isRGB: false) == wanted)
            #expect(OutputColor.choose(for: Self.color(1, 13, 0), size: size, isRGB: true) == wanted)
        }
    }

    @Test(
        arguments: [
            // What is given stays, and the rest belongs to it, whatever the size.
            ([2, 2, 1], [1, 1, 1]), ([2, 2, 5], [5, 6, 5]), ([2, 2, 9], [9, 14, 9]), ([9, 2, 2], [9, 14, 9]),
            ([1, 2, 2], [1, 1, 1]), ([2, 13, 2], [6, 13, 6]), ([2, 16, 2], [9, 16, 9]), ([2, 18, 2], [9, 18, 9]),
            ([12, 2, 2], [12, 1, 1]), ([1, 13, 1], [1, 13, 1]), ([2, 1, 6], [6, 1, 6]),
            // Reserved values, and RGB's matrix for frames that are not RGB.
            ([0, 3, 3], [6, 6, 6]), ([1, 1, 0], [1, 1, 1]), ([300, -1, 15], [6, 6, 6]), ([1, 1, 8], [1, 1, 8]),
        ] as [([Int], [Int])])
    func partsOfAColourAreCompletedConsistently(given: [Int], wanted: [Int]) {
        let resolved = OutputColor.resolve(
            Self.color(given[0], given[1], given[2]), size: Self.sd, isRGB: false)
        #expect(resolved == Self.color(wanted[0], wanted[1], wanted[2]))
    }

    @Test func primariesOf625LinesBecomeThoseThatBrowsersShowAsTheyAre() {
        #expect(OutputColor.choose(for: Self.color(5, 6, 5), size: Self.pal, isRGB: false) == Self.color(1, 6, 5))
        #expect(OutputColor.choose(for: Self.color(5, 1, 1), size: Self.hd, isRGB: false) == Self.color(1, 1, 1))
    }

    @Test func everyOutputHasAMatrixThatPlayersKnowAndLimitedRange() {
        for matrix in 0...16 {
            for primaries in [0, 1, 2, 5, 9, 12, 22, 99] {
                for transfer in [1, 2, 6, 13, 14, 16, 18, 99] {
                    var color = Self.color(primaries, transfer, matrix)
                    color.isFullRange = true
                    for isRGB in [false, true] {
                        let output = OutputColor.choose(for: color, size: Self.sd, isRGB: isRGB)
                        #expect(OutputColor.scalerMatrix(output.matrix) != nil)
                        #expect(output.primaries != 2 && output.transfer != 2 && !output.isFullRange)
                        #expect(!OutputColor.isHDR(output.transfer))
                    }
                }
            }
        }
        #expect(OutputColor.choose(for: Self.color(9, 14, 10), size: Self.hd, isRGB: false) == Self.color(9, 14, 9))
        #expect(OutputColor.choose(for: Self.color(1, 1, 8), size: Self.hd, isRGB: false) == Self.color(1, 1, 1))
    }

    @Test(arguments: [
        ("rgb24", true), ("bgra", true), ("gbrp10le", true), ("pal8", true), ("x2rgb10le", true), ("yuv420p", false),
        ("yuva444p", false), ("gray", false), ("nv12", false),
    ])
    func pixelFormatsOfRedGreenAndBlueAreKnown(format: String, isRGB: Bool) {
        #expect(OutputColor.isRGB(format) == isRGB)
    }

    // MARK: Dolby Vision

    @Test(arguments: [
        (5, 0, false), (5, 1, false), (8, 1, true), (8, 4, true), (8, 2, true), (7, 6, true), (7, 0, true),
        (9, 2, true), (10, 0, false), (10, 1, true), (10, 4, true), (20, 0, false),
    ])
    func onlyDolbyVisionWithABaseLayerIsDecoded(profile: Int, compatibility: Int, isCompatible: Bool) {
        #expect(DolbyVision.hasCompatibleBase(profile: profile, compatibility: compatibility) == isCompatible)
    }
}
