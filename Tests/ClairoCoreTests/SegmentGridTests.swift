import ClairoCore
import Foundation
import Testing

/// A frame rate, and the grid that it must give for six-second segments.
struct GridCase: Sendable, CustomTestStringConvertible {
    var rate: Rational
    var gop: Int
    var segment: Int
    /// Of a full segment.
    var seconds: Rational

    var testDescription: String { "\(rate)" }
    var grid: SegmentGrid { SegmentGrid(frameRate: rate, frameCount: 1000) }

    static let all = [
        GridCase(rate: Rational(24000, 1001), gop: 48, segment: 144, seconds: Rational(6006, 1000)),
        GridCase(rate: Rational(24), gop: 48, segment: 144, seconds: Rational(6)),
        GridCase(rate: Rational(25), gop: 50, segment: 150, seconds: Rational(6)),
        GridCase(rate: Rational(30000, 1001), gop: 60, segment: 180, seconds: Rational(6006, 1000)),
        GridCase(rate: Rational(50), gop: 100, segment: 300, seconds: Rational(6)),
        GridCase(rate: Rational(60000, 1001), gop: 120, segment: 360, seconds: Rational(6006, 1000)),
        GridCase(rate: Rational(60), gop: 120, segment: 360, seconds: Rational(6)),
        GridCase(rate: Rational(25, 2), gop: 25, segment: 75, seconds: Rational(6)),
        GridCase(rate: Rational(1), gop: 2, segment: 6, seconds: Rational(6)),
    ]
}

@Suite struct SegmentGridTests {
    @Test(arguments: GridCase.all)
    func segmentsAreThreeGOPsOfTwoSeconds(expected: GridCase) {
        #expect(expected.grid.gopFrames == expected.gop)
        #expect(expected.grid.segmentFrames == expected.segment)
        #expect(expected.grid.time(ofFrame: expected.segment) == expected.seconds)
    }

    @Test(arguments: GridCase.all)
    func frameLastsAWholeNumberOfTicks(expected: GridCase) {
        let grid = expected.grid
        #expect(Rational(grid.ticksPerFrame, grid.timescale) == expected.rate.inverse)
        #expect((12_000...60_000).contains(grid.timescale))
    }

    @Test(arguments: GridCase.all)
    func segmentsCoverEveryFrameOnce(expected: GridCase) {
        for count in [0, 1, expected.gop, expected.segment - 1, expected.segment, expected.segment + 1, 1000] {
            let grid = SegmentGrid(frameRate: expected.rate, frameCount: count)
            let frames = (0..<grid.segmentCount).map(grid.frames(ofSegment:))
            #expect(frames.flatMap(Array.init) == Array(0..<count))
            for (index, range) in frames.enumerated() {
                #expect(!range.isEmpty)
                #expect(range.lowerBound % grid.gopFrames == 0)
                #expect(range.allSatisfy { grid.segment(ofFrame: $0) == index })
            }
            #expect(grid.duration == Rational(Int64(count)) / expected.rate)
        }
    }

    @Test(arguments: [(1.0, 48), (2, 48), (3, 48), (4, 96), (5, 96), (6, 144), (10, 240), (60, 1440)])
    func segmentLengthIsTheNearestNumberOfWholeGOPs(seconds: Double, frames: Int) {
        let grid = SegmentGrid(frameRate: Rational(24000, 1001), frameCount: 1, segmentSeconds: seconds)
        #expect(grid.segmentFrames == frames)
    }

    @Test func theLastSegmentEndsWithTheFrames() {
        let grid = SegmentGrid(frameRate: Rational(30000, 1001), frameCount: 301, segmentSeconds: 4)
        #expect((0..<grid.segmentCount).map(grid.frames(ofSegment:)) == [0..<120, 120..<240, 240..<301])
    }

    @Test func negativeCountsHaveNoSegments() {
        let grid = SegmentGrid(frameRate: Rational(25), frameCount: -1)
        #expect(grid.segmentCount == 0)
        #expect(grid.duration == .zero)
    }

    @Test func gridSurvivesAJSONRoundTrip() throws {
        let grid = SegmentGrid(frameRate: Rational(60000, 1001), frameCount: 777)
        #expect(try JSONDecoder().decode(SegmentGrid.self, from: JSONEncoder().encode(grid)) == grid)
    }

    @Test(arguments: [
        #"{"frameRate":"0/1","frameCount":9,"gopFrames":50,"segmentFrames":150}"#,
        #"{"frameRate":"-25/1","frameCount":9,"gopFrames":50,"segmentFrames":150}"#,
        #"{"frameRate":"9223372036854775807/1","frameCount":9,"gopFrames":50,"segmentFrames":150}"#,
        #"{"frameRate":"25/1","frameCount":-9,"gopFrames":50,"segmentFrames":150}"#,
        #"{"frameRate":"25/1","frameCount":9223372036854775807,"gopFrames":50,"segmentFrames":150}"#,
        #"{"frameRate":"25/1","frameCount":9,"gopFrames":0,"segmentFrames":150}"#,
        #"{"frameRate":"25/1","frameCount":9,"gopFrames":50,"segmentFrames":0}"#,
        #"{"frameRate":"25/1","frameCount":9,"gopFrames":50,"segmentFrames":151}"#,
        #"{"frameRate":"25/1","frameCount":9,"gopFrames":50,"segmentFrames":-50}"#,
        #"{"frameRate":"25/1","frameCount":9,"gopFrames":50}"#,
    ])
    func damagedJSONIsRefused(json: String) {
        #expect(throws: DecodingError.self) { try JSONDecoder().decode(SegmentGrid.self, from: Data(json.utf8)) }
    }

    @Test func aSegmentAfterTheEndIsEmpty() {
        let grid = SegmentGrid(frameRate: Rational(25), frameCount: 100)
        #expect(grid.frames(ofSegment: grid.segmentCount).isEmpty)
        #expect(grid.frames(ofSegment: 1000).isEmpty)
    }
}
