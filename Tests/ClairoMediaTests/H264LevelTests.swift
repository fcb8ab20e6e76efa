import ClairoCore
import Testing

@testable import ClairoMedia

@Suite struct H264LevelTests {
    @Test(arguments: [
        (3840, 2160, Rational(60), true), (4096, 2304, Rational(50), true), (4096, 2304, Rational(60), false),
        (1920, 1080, Rational(240), true), (1920, 1080, Rational(300), false), (4098, 2160, Rational(25), false),
        (2160, 4096, Rational(25), true), (4096, 4096, Rational(1), false), (5760, 2880, Rational(25), false),
        (2, 2, Rational(1), true),
    ])
    func onlySizesUpToLevel52AreMade(width: Int, height: Int, rate: Rational, fits: Bool) {
        #expect(H264.fits(size: FrameSize(width: width, height: height), frameRate: rate) == fits)
    }

    @Test(
        arguments: [
            ("avc1.64001f", 31), ("avc1.640034", 52), ("avc1.42100b", 9), ("avc1.42e00b", 11), ("avc1.64000b", 11),
            ("avc1.640009", 9), ("avc1", nil), ("avc1.64", nil), ("mp4a.40.2", nil),
        ] as [(String, Int?)])
    func levelIsReadFromTheCodecString(codec: String, level: Int?) {
        #expect(H264.levelIndicator(codec: codec) == level)
    }

    @Test(
        arguments: [
            ("avc1.64001f", 1280, 720, 30, 0, nil),
            ("avc1.64001f", 1280, 720, 60, 0, "level 3.1 does not allow 1280x720 at 60/1 frames per second"),
            ("avc1.64001e", 1280, 720, 25, 0, "level 3 does not allow 1280x720 at 25/1 frames per second"),
            (
                "avc1.64000a", 160, 80, 25, 900_000,
                "level 1 does not allow 160x80 at 25/1 frames per second and 900 kbit/s"
            ),
            // x264 rounds the rate down, too.
            ("avc1.64000a", 160, 80, 25, 80_999, nil),
            ("avc1.64003c", 3840, 2160, 25, 0, "level_idc 60 is none of the levels up to 5.2"),
            ("avc1", 3840, 2160, 25, 0, "avc1 names no level"),
        ] as [(String, Int, Int, Int64, Int64, String?)])
    func aLevelMustAllowSizeAndRate(
        codec: String, width: Int, height: Int, rate: Int64, bitRate: Int64, problem: String?
    ) {
        let found = H264.levelProblem(
            codec: codec, size: FrameSize(width: width, height: height), frameRate: Rational(rate), bitRate: bitRate)
        #expect(found == problem)
    }

    @Test func limitsGrowWithTheLevel() {
        let levels = H264.Level.all
        #expect(
            zip(levels, levels.dropFirst()).allSatisfy { lower, higher in
                lower.macroblockRate <= higher.macroblockRate && lower.frameSize <= higher.frameSize
                    && lower.pictureBuffer <= higher.pictureBuffer && lower.bitRate <= higher.bitRate
            })
        #expect(H264.Level.highest.bufferedFrames(size: FrameSize(width: 3840, height: 2160)) == 5)
        #expect(H264.Level.highest.bufferedFrames(size: FrameSize(width: 1920, height: 1080)) == 16)
    }
}
