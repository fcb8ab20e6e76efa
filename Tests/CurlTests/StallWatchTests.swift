import Testing

@testable import Curl

@Suite struct StallWatchTests {
    private var watch = StallWatch(limit: 10, at: 100)

    @Test mutating func silenceConsumesTheLimit() {
        #expect(watch.remaining(at: 103, bytes: 0, inClosures: 0) == 7)
        #expect(watch.remaining(at: 110, bytes: 0, inClosures: 0) == 0)
    }

    @Test mutating func aSlowTransferIsNotLimited() {
        for round in 1...100 {
            #expect(watch.remaining(at: 100 + 9 * Double(round), bytes: 10 * round, inClosures: 0) == 10)
        }
    }

    @Test mutating func lessThanAByteASecondIsSilence() {
        #expect(watch.remaining(at: 105, bytes: 9, inClosures: 0) == 5)
        #expect(watch.remaining(at: 111, bytes: 9, inClosures: 0) < 0)
    }

    @Test mutating func timeSpentInClosuresDoesNotCount() {
        #expect(watch.remaining(at: 160, bytes: 0, inClosures: 55) == 5)
        #expect(watch.remaining(at: 161, bytes: 10, inClosures: 56) == 10)
        #expect(watch.remaining(at: 171, bytes: 10, inClosures: 60) == 4)
    }
}
