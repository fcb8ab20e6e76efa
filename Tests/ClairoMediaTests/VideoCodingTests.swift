import ClairoCore
import Testing

@testable import ClairoMedia

/// What `--quality` and `--preset` mean for each codec.
@Suite struct VideoCodingTests {
    @Test(arguments: VideoCodec.allCases)
    func costGrowsWithThePreset(codec: VideoCodec) {
        let costs = TranscodeSettings.presets.map { codec.coding.encodeCost($0) }
        #expect(zip(costs, costs.dropFirst()).allSatisfy { $0 <= $1 })
        #expect(codec.coding.encodeCost("medium") >= H264.encodeCost("medium"))
    }

    @Test(arguments: VideoCodec.allCases)
    func memoryGrowsWithThePreset(codec: VideoCodec) {
        let held = TranscodeSettings.presets.map { codec.coding.heldFrames($0, gopFrames: 100) }
        #expect(zip(held, held.dropFirst()).allSatisfy { $0 <= $1 } && held.allSatisfy { $0 > 8 })
    }

    @Test func factorsOfOtherCodecsFollowTheQuality() {
        #expect([0, 20, 23, 30, 51].map { HEVC.rateFactor(quality: $0) } == [0, 18.8, 22, 29.6, 51])
        #expect([0, 20, 23, 30, 51].map { AV1.rateFactor(quality: $0) } == [1, 21, 31, 55, 63])
    }

    @Test func presetsOfSVTAV1AreNumbers() {
        #expect(TranscodeSettings.presets.map { AV1.preset($0) } == [12, 11, 10, 9, 9, 8, 7, 6, 5])
    }
}
