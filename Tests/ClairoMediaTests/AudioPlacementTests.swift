import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

@testable import ClairoMedia

@Suite struct AudioPlacementTests {
    private static let rate = AudioPlan.sampleRate
    private static let block = 1024

    /// Places blocks of 1024 samples. A block is its index.
    private static func place(_ starts: [Int], limit: Int = 100_000_000) -> [AudioPlacement<Int>.Step] {
        var placement = AudioPlacement<Int>(limit: limit)
        var steps: [AudioPlacement<Int>.Step] = []
        for (index, start) in starts.enumerated() { steps += placement.add(index, start: start, count: block) }
        steps += placement.finish()
        #expect(steps.reduce(0) { $0 + $1.silence + $1.range.count + $1.extra } == placement.position)
        #expect(placement.position <= limit)
        return steps
    }

    private static func contiguous(_ count: Int, from start: Int = 0) -> [Int] {
        (0..<count).map { start + $0 * block }
    }

    private static func isWhole(_ steps: [AudioPlacement<Int>.Step]) -> Bool {
        steps.allSatisfy { $0.range == 0..<block && $0.silence == 0 }
    }

    @Test func contiguousBlocksAreUsedAsTheyAre() {
        let steps = Self.place(Self.contiguous(200))
        #expect(Self.isWhole(steps) && steps.count == 200 && steps.allSatisfy { $0.extra == 0 })
    }

    @Test func aLateStartBecomesSilence() {
        let steps = Self.place(Self.contiguous(100, from: 480_000))
        #expect(steps[0].silence == 480_000 && Self.isWhole(Array(steps.dropFirst())))
    }

    @Test func audioBeforeTheStartIsDropped() {
        let steps = Self.place(Self.contiguous(100, from: -1500))
        #expect(steps[0].range.isEmpty)
        #expect(steps[1].range == 476..<1024)
        #expect(Self.isWhole(Array(steps.dropFirst(2))))
    }

    @Test(arguments: [10, 25, 50])
    func jitterLeavesNoBreak(milliseconds: Int) {
        var generator = SeededGenerator(seed: UInt64(milliseconds))
        let most = milliseconds * Self.rate / 1000
        let starts = Self.contiguous(500, from: 10_000).map { $0 + Int.random(in: -most...most, using: &generator) }
        let steps = Self.place(starts)
        #expect(abs(steps[0].silence - 10_000) < Self.rate * 15 / 1000)
        #expect(Self.isWhole(steps.indices.dropFirst().map { steps[$0] }))
        #expect(steps.reduce(0) { $0 + abs($1.extra) } < 500 * Self.block / 500)
    }

    @Test(arguments: [Self.rate / 50, Self.rate / 2, 10 * Self.rate])
    func aGapBecomesSilenceWhereItIs(gap: Int) {
        let steps = Self.place(Self.contiguous(100) + Self.contiguous(100, from: 100 * Self.block + gap))
        #expect(steps.map(\.silence).enumerated().filter { $0.element > 0 }.map(\.offset) == [100])
        #expect(steps[100].silence == gap)
    }

    @Test func overlappingSamplesAreDropped() {
        let steps = Self.place(Self.contiguous(100) + Self.contiguous(100, from: 100 * Self.block - 5000))
        #expect(steps.reduce(0) { $0 + Self.block - $1.range.count } == 5000)
    }

    @Test func oneWrongTimestampIsIgnored() {
        var starts = Self.contiguous(200)
        starts[90] = 50_000_000
        #expect(Self.isWhole(Self.place(starts)))
    }

    @Test(arguments: [-0.0005, 0.0005, 0.001])
    func aSlowDriftIsCorrectedBySingleSamples(drift: Double) {
        let count = 60 * Self.rate / Self.block
        let steps = Self.place(Self.contiguous(count).map { Int(Double($0) * (1 + drift)) })
        // The first second is placed as well as can be.
        #expect(abs(steps[0].silence - (Self.block - steps[0].range.count)) < 50)
        #expect(Self.isWhole(Array(steps.dropFirst())))
        #expect(steps.allSatisfy { abs($0.extra) <= 3 })
        let missing = Double(count * Self.block) * drift - Double(steps.reduce(0) { $0 + $1.extra })
        #expect(abs(missing) < Double(Self.rate) * 0.015)
    }

    @Test func nothingIsPlacedAfterTheLimit() {
        #expect(Self.place(Self.contiguous(100), limit: 1500).map(\.range.count) == [1024, 476])
        #expect(Self.place([2000], limit: 1500).map(\.silence) == [1500])
        #expect(Self.place([1 << 40, 0], limit: 1500).reduce(0) { $0 + $1.silence + $1.range.count } <= 1500)
    }

    @Test func anyTimesNeverOverfill() {
        var generator = SeededGenerator(seed: 9)
        for _ in 0..<100 {
            let limit = Int.random(in: 0...200_000, using: &generator)
            _ = Self.place((0..<150).map { _ in Int.random(in: -50_000...300_000, using: &generator) }, limit: limit)
        }
    }
}

@Suite struct SampleStretchTests {
    @Test(arguments: [-3, -1, 1, 3])
    func aStretchedSineStaysASine(extra: Int) {
        let input = (0..<1024).map { Float(sin(2 * .pi * 1000 / 48_000 * Double($0))) }
        let output = SampleStretch.stretched(input, by: extra)
        #expect(output.count == 1024 + extra)
        let ratio = 1024.0 / Double(1024 + extra)
        // The edges have no neighbours to interpolate from.
        for index in 8..<output.count - 8 {
            let place = (Double(index) + 0.5) * ratio - 0.5
            #expect(abs(Double(output[index]) - sin(2 * .pi * 1000 / 48_000 * place)) < 0.002)
        }
    }

    @Test func noExtraSamplesMeanNoChange() {
        #expect(SampleStretch.stretched([1, 2, 3] as [Float], by: 0) == [1, 2, 3])
        #expect(SampleStretch.stretched([] as [Float], by: 3).isEmpty)
    }
}
