import ClairoCore
import ClairoTestSupport
import Libav
import Testing

@testable import ClairoMedia

@Suite struct SamplePlacementTests {
    /// Places blocks of audio, each given by its start and length.
    private static func place(_ blocks: [(Int, Int)], limit: Int = 1_000_000) -> (steps: [[Int]], position: Int) {
        var placement = SamplePlacement(limit: limit)
        let steps = blocks.map { start, count in
            let step = placement.place(at: start, count: count)
            return [step.silence, step.taken.lowerBound, step.taken.count]
        }
        return (steps, placement.position)
    }

    @Test func contiguousBlocksAreUsedCompletely() {
        #expect(
            Self.place([(0, 1024), (1024, 1024), (2048, 500)]).steps == [[0, 0, 1024], [0, 0, 1024], [0, 0, 500]])
    }

    @Test func anyDelayedStartBecomesSilence() {
        #expect(Self.place([(5, 100)]).steps == [[5, 0, 100]])
        #expect(Self.place([(48_000, 100)]).steps == [[48_000, 0, 100]])
    }

    @Test func audioBeforeTheStartIsDropped() {
        let result = Self.place([(-1500, 1024), (-476, 1024), (548, 1024)])
        #expect(result.steps == [[0, 1024, 0], [0, 476, 548], [0, 0, 1024]])
        #expect(result.position == 1572)
    }

    @Test func clockErrorsWithinTheToleranceAreIgnored() {
        let slack = SamplePlacement.tolerance
        #expect(Self.place([(0, 1000), (1000 + slack, 1000)]).steps == [[0, 0, 1000], [0, 0, 1000]])
        #expect(Self.place([(0, 1000), (1000 - slack, 1000)]).steps == [[0, 0, 1000], [0, 0, 1000]])
    }

    @Test func aGapBecomesSilence() {
        let gap = SamplePlacement.tolerance + 1
        #expect(Self.place([(0, 1000), (1000 + gap, 1000)]).steps == [[0, 0, 1000], [gap, 0, 1000]])
    }

    @Test func overlappingSamplesAreDropped() {
        let overlap = SamplePlacement.tolerance + 1
        #expect(
            Self.place([(0, 2000), (2000 - overlap, 1000)]).steps == [[0, 0, 2000], [0, overlap, 1000 - overlap]])
        #expect(Self.place([(0, 2000), (0, 1000)]).steps == [[0, 0, 2000], [0, 1000, 0]])
    }

    @Test func smallErrorsDoNotAccumulate() {
        // A clock that drifts by a millisecond per block is corrected within 15 blocks.
        let result = Self.place((0..<200).map { ($0 * (1024 + 48), 1024) })
        #expect(abs(result.position - 199 * (1024 + 48) - 1024) <= SamplePlacement.tolerance)
    }

    @Test func nothingIsPlacedAfterTheLimit() {
        #expect(Self.place([(0, 1000), (1000, 1000)], limit: 1500).steps == [[0, 0, 1000], [0, 0, 500]])
        #expect(Self.place([(2000, 1000)], limit: 1500).steps == [[1500, 0, 0]])
        #expect(Self.place([(1 << 40, 1000), (0, 1000)], limit: 1500).position == 1500)
    }

    @Test func blocksAtAnyTimeNeverOverfillOrMoveBackwards() {
        var generator = SeededGenerator(seed: 9)
        for _ in 0..<500 {
            let limit = Int.random(in: 0...20_000, using: &generator)
            var placement = SamplePlacement(limit: limit)
            var position = 0
            for _ in 0..<40 {
                let count = Int.random(in: 0...3000, using: &generator)
                let step = placement.place(at: .random(in: -5000...30_000, using: &generator), count: count)
                position += step.silence + step.taken.count
                #expect(step.silence >= 0 && step.taken.lowerBound >= 0 && step.taken.upperBound <= count)
                #expect(placement.position == position && position <= limit)
            }
            #expect(placement.isFull == (position == limit))
        }
    }

    @Test func bufferReturnsItsSamplesPaddedWithSilence() throws {
        let ramp = (0..<10).map(Float.init)
        let frame = try Frame.audio(channels: [ramp[...], ramp.reversed()[...]], sampleRate: 48_000, pts: 0)
        var buffer = SampleBuffer(channels: 2)
        buffer.append(silence: 2)
        buffer.append(frame, range: 3..<6)
        buffer.append(frame, range: 4..<4)
        buffer.append(silence: -1)
        #expect(buffer.count == 5)
        #expect(buffer.take(4).map(Array.init) == [[0, 0, 3, 4], [0, 0, 6, 5]])
        #expect(buffer.take(3).map(Array.init) == [[5, 0, 0], [4, 0, 0]])
        #expect(buffer.count == 0)
    }

    @Test func bufferKeepsItsOrderWhileItDiscardsTakenSamples() throws {
        var buffer = SampleBuffer(channels: 1)
        var taken: [Float] = []
        for block in 0..<200 {
            let values = (0..<1000).map { Float(block * 1000 + $0) }
            buffer.append(try Frame.audio(channels: [values[...]], sampleRate: 48_000, pts: 0), range: 0..<1000)
            while buffer.count >= 1024 { taken += buffer.take(1024)[0] }
        }
        #expect(taken == (0..<taken.count).map(Float.init))
        #expect(taken.count + buffer.count == 200_000)
    }
}
