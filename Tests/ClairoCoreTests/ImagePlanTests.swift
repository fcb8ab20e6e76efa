import ClairoCore
import Foundation
import Testing

@Suite struct ImagePlanTests {
    private static func rung(_ width: Int, _ height: Int, _ range: DynamicRange = .sdr) -> Rung {
        Rung(
            id: "\(min(width, height))p", dynamicRange: range, size: FrameSize(width: width, height: height),
            maxRate: 1_000_000, bufferSize: 2_000_000)
    }

    private static func video(
        seconds: Double, rate: Rational = Rational(25),
        rungs: [Rung] = [rung(1920, 1080), rung(854, 480), rung(426, 240)]
    ) -> VideoPlan {
        let grid = SegmentGrid(frameRate: rate, frameCount: Int((seconds * rate.doubleValue).rounded()))
        return VideoPlan(
            streamIndex: 0, grid: grid, sourceFrameCount: grid.frameCount, orientation: .upright, deinterlace: false,
            dynamicRange: .sdr, color: .unspecified, segmentsPerEncoder: 1, isSeekable: true, rungs: rungs,
            decisions: [])
    }

    private func plan(seconds: Double, rate: Rational = Rational(25)) throws -> ImagePlan {
        try #require(ImagePlan(storyboardOf: Self.video(seconds: seconds, rate: rate)))
    }

    // MARK: Spacing

    @Test(arguments: [
        (0.04, 2, 1), (2.0, 2, 1), (2.04, 2, 2), (20.0, 2, 10), (600.0, 2, 300), (600.04, 4, 151), (3600.0, 12, 300),
        (7200.0, 24, 300), (86_400.0, 288, 300),
    ])
    func tilesAreAWholeNumberOfGOPsApartAndAtMostThreeHundred(seconds: Double, distance: Int, count: Int) throws {
        let plan = try plan(seconds: seconds)
        #expect(plan.framesPerTile == distance * 25)
        #expect(plan.tileCount == count)
        #expect(plan.tileDuration == Rational(Int64(distance)))
    }

    @Test func timesAreExactAtAFractionalRate() throws {
        let plan = try plan(seconds: 100, rate: Rational(30_000, 1001))
        #expect(plan.framesPerTile == 60)
        #expect(plan.tileDuration == Rational(2002, 1000))
        #expect(plan.frame(ofTile: 7) == 420 && plan.start(ofTile: 7) == Rational(14014, 1000))
        #expect(plan.start(ofTile: plan.tileCount) == plan.duration)
        #expect(plan.duration == Rational(2997) * Rational(1001, 30_000))
    }

    // MARK: Layout

    @Test(arguments: [
        (4.0, 2, 1, 1, 2), (10.0, 5, 1, 1, 5), (12.0, 5, 2, 1, 6), (50.0, 5, 5, 1, 25), (52.0, 5, 5, 2, 1),
        (600.0, 5, 5, 12, 25),
    ])
    func tilesLieInSheetsOfAtMostFiveByFive(
        seconds: Double, columns: Int, rows: Int, sheets: Int, last: Int
    ) throws {
        let plan = try plan(seconds: seconds)
        #expect(plan.columns == columns && plan.rows == rows && plan.sheetCount == sheets)
        #expect(plan.sheetSize == FrameSize(width: columns * 160, height: rows * 90))
        #expect(plan.tiles(ofSheet: sheets - 1).count == last)
        #expect((0..<sheets).flatMap { Array(plan.tiles(ofSheet: $0)) } == Array(0..<plan.tileCount))
        #expect(plan.sheetKeys.first == "images/storyboard/00001.jpg" && plan.sheetKeys.count == sheets)
    }

    @Test func tilesAreLaidOutRowByRow() throws {
        let plan = try plan(seconds: 60)
        for (tile, x, y) in [(0, 0, 0), (4, 640, 0), (5, 0, 90), (24, 640, 360), (25, 0, 0), (28, 480, 0)] {
            let position = plan.position(ofTile: tile)
            #expect(position.x == x && position.y == y, "\(tile)")
        }
        #expect(
            plan.objectKeys == [
                "images/storyboard/00001.jpg", "images/storyboard/00002.jpg", "images/storyboard/playlist.m3u8",
                "images/storyboard/storyboard.vtt",
            ])
    }

    @Test(arguments: [
        ([(1920, 1080), (426, 240)], 160, 90), ([(1080, 1920), (240, 426)], 90, 160), ([(640, 480)], 160, 120),
        ([(720, 720)], 160, 160), ([(2048, 858), (572, 240)], 160, 68), ([(64, 36)], 64, 36), ([(18, 16)], 18, 16),
        ([(1000, 16)], 160, 2),
    ])
    func tilesHaveTheShapeOfTheVideoAndALongSideOf160(rungs: [(Int, Int)], width: Int, height: Int) throws {
        let video = Self.video(seconds: 4, rungs: rungs.map { Self.rung($0.0, $0.1) })
        #expect(ImagePlan(storyboardOf: video)?.tile == FrameSize(width: width, height: height))
    }

    @Test func picturesAreMadeFromRungsInSDR() {
        let video = Self.video(
            seconds: 4, rungs: [Self.rung(1920, 1080), Self.rung(640, 360), Self.rung(426, 240, .hdr10)])
        #expect(video.smallestSDRRung?.id == "360p" && video.largestSDRRung?.id == "1080p")
        #expect(ImagePlan(storyboardOf: Self.video(seconds: 4, rungs: [Self.rung(426, 240, .hlg)])) == nil)
        #expect(ImagePlan(storyboardOf: Self.video(seconds: 0)) == nil)
    }

    // MARK: Documents

    @Test func aPlanIsReadAsItWasWritten() throws {
        let plan = try plan(seconds: 100, rate: Rational(24_000, 1001))
        #expect(try JSONDecoder().decode(ImagePlan.self, from: JSON.encode(plan)) == plan)
    }

    @Test(arguments: [
        #""columns":\d+"#: #""columns":0"#, #""rows":\d+"#: #""rows":99"#, #""width":\d+"#: #""width":161"#,
        #""height":\d+"#: #""height":0"#, #""framesPerTile":\d+"#: #""framesPerTile":0"#,
        #""frameCount":\d+"#: #""frameCount":100000000000"#, #""frameRate":"[^"]*""#: #""frameRate":"0/1""#,
    ])
    func anImpossiblePlanIsRefused(pattern: String, replacement: String) throws {
        let text = String(decoding: try JSON.encode(try plan(seconds: 100)), as: UTF8.self).filter { $0 != " " }
        let changed = text.replacing(try Regex(pattern), with: replacement)
        #expect(changed != text)
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode(ImagePlan.self, from: Data(changed.utf8))
        }
    }
}
