import ClairoCore
import ClairoTestSupport
import Libav
import Testing

@testable import ClairoMedia

@Suite struct FrameTimelineTests {
    private static let timeBase = Rational(1, 1000)

    /// Runs source frames through a timeline at 25 frames per second. A source frame is its index in the list.
    /// - Returns: The source frame shown at each of `frames`, and the number of covered frames.
    private static func shown(
        _ times: [Int64?], frames: Range<Int>, origin: Rational = .zero, placement: FramePlacement = .times
    ) throws -> (sources: [Int], covered: Int, isComplete: Bool) {
        var timeline = FrameTimeline(
            frames: frames, origin: origin,
            grid: SegmentGrid(frameRate: Rational(25), frameCount: frames.upperBound), placement: placement)
        var sources: [Int] = []
        var next = frames.lowerBound
        func take(_ output: (Frame, Range<Int>)?) {
            guard let (frame, range) = output else { return }
            #expect(range.lowerBound == next)
            next = range.upperBound
            sources += Array(repeating: Int(frame.pts ?? -1), count: range.count)
        }
        for (number, time) in times.enumerated() where !timeline.isComplete {
            // Any frame is suitable, because the timeline never reads its content.
            let frame = try Frame.audio(channels: [[0]], sampleRate: 48_000, pts: Int64(number))
            take(timeline.replaceCurrent(with: frame, at: timeline.position(pts: time, timeBase: timeBase)))
        }
        let covered = timeline.coveredFrames
        take(timeline.finish())
        return (sources, covered, timeline.isComplete)
    }

    @Test func framesOnTheGridAreShownOnce() throws {
        #expect(try Self.shown([0, 40, 80, 120], frames: 0..<4).sources == [0, 1, 2, 3])
    }

    @Test func timesAreRoundedToTheNearestFrame() throws {
        #expect(try Self.shown([1, 59, 61, 119], frames: 0..<4).sources == [0, 1, 2, 3])
    }

    @Test func aMissingFrameRepeatsThePreviousOne() throws {
        #expect(try Self.shown([0, 40, 200, 240], frames: 0..<7).sources == [0, 1, 1, 1, 1, 2, 3])
    }

    @Test func ofSeveralSourceFramesForOneOutputFrameTheLastIsShown() throws {
        #expect(try Self.shown([0, 41, 44, 48, 80], frames: 0..<3).sources == [0, 3, 4])
    }

    @Test func theFirstFrameIsShownFromTheStartAndTheLastToTheEnd() throws {
        let result = try Self.shown([80, 120], frames: 0..<6)
        #expect(result.sources == [0, 0, 0, 1, 1, 1])
        #expect(result.covered == 4)
        #expect(!result.isComplete)
    }

    @Test func theOutputBeginsAtTheOrigin() throws {
        let result = try Self.shown([960, 1000, 1040, 1080], frames: 0..<2, origin: Rational(1))
        #expect(result.sources == [1, 2])
        #expect(result.isComplete)
    }

    @Test func framesWithDecreasingTimesAreDropped() throws {
        #expect(try Self.shown([0, 80, 40, 120], frames: 0..<4).sources == [0, 0, 1, 3])
    }

    @Test func jitteringFramesAreAllShownInOrder() throws {
        let times: [Int64?] = [0, 55, 62, 130, 121, 200, 238]
        #expect(try Self.shown(times, frames: 0..<7, placement: .order).sources == [0, 1, 2, 3, 4, 5, 6])
    }

    @Test func aFasterSourceDoesNotRunAwayFromItsTimes() throws {
        // 100 frames per second: at most two frames are ahead, and the others are dropped.
        let times = (0..<100).map { Int64($0 * 10) as Int64? }
        let shown = try Self.shown(times, frames: 0..<25, placement: .order).sources
        #expect(zip(shown, shown.dropFirst()).allSatisfy { $0 < $1 })
        #expect(shown.enumerated().allSatisfy { abs($0.element - $0.offset * 4) <= 12 })
    }

    @Test func decodedFramesTakeTheTimesOfThePacketsInAscendingOrder() {
        var times = SortedTimes()
        for time in [0, 120, 40, 80] as [Int64] { times.add(time) }
        #expect([times.next(), times.next()] == [0, 40])
        times.add(240)
        times.add(nil)
        #expect([times.next(), times.next(), times.next(), times.next()] == [80, 120, 240, nil])
    }

    @Test func aFrameWithoutATimeFollowsThePreviousOne() throws {
        #expect(try Self.shown([nil, nil, 80, nil], frames: 0..<4).sources == [0, 1, 2, 3])
    }

    @Test func hostileTimesStillGiveOneFrameForEachRequestedOne() throws {
        for times in [[.min, .max], [.max, .min], [.max], [0, .max], [.min]] as [[Int64]] {
            for origin in [Rational.zero, Rational(-.max), Rational(.max)] {
                #expect(try Self.shown(times, frames: 0..<3, origin: origin).sources.count == 3)
            }
        }
    }

    /// The purpose of the grid: the shown source frame does not depend on where decoding begins.
    @Test func chunksShowTheSameFramesAsTheWhole() throws {
        var generator = SeededGenerator(seed: 31)
        for _ in 0..<200 {
            var time: Int64 = 0
            let times: [Int64?] = (0..<60).map { _ in
                time += .random(in: 1...110, using: &generator)
                return time
            }
            let whole = try Self.shown(times, frames: 0..<70).sources
            #expect(whole.count == 70)
            for frames in [0..<20, 20..<40, 40..<70] {
                // A chunk's decoding begins with a source frame at or before its first frame.
                let first = times.lastIndex { (($0 ?? 0) + 20) / 40 <= frames.lowerBound - 1 } ?? 0
                let part = try Self.shown(Array(times[first...]), frames: frames).sources
                #expect(part.map { $0 + first } == Array(whole[frames]))
            }
        }
    }
}
