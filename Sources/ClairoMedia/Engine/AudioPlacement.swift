internal import ClairoCore
internal import Foundation

/// Places blocks of decoded audio on the output timeline. Pure arithmetic on samples.
///
/// Timestamps are trusted in the long run, not each by itself: containers round them, and recorders stamp packets when
/// they arrive. A block follows the previous one without a gap unless the blocks of the following second agree that
/// something is missing or doubled. A small lasting error, as of a clock that runs fast or slow, is corrected slowly, by
/// single samples.
struct AudioPlacement<Block> {
    /// What to do with a block: write `silence` samples, and then the samples of `range`, stretched or shrunk by `extra`
    /// samples.
    struct Step {
        var silence: Int
        var block: Block
        var range: Range<Int>
        var extra: Int
    }

    /// An error up to this is never a gap: 15 ms is shorter than a frame at 60 fps.
    static var tolerance: Int { AudioPlan.sampleRate * 15 / 1000 }
    /// The number of samples that must agree on a gap.
    static var shortWindow: Int { AudioPlan.sampleRate }
    /// The number of samples over which a slow drift is measured.
    static var longWindow: Int { 2 * AudioPlan.sampleRate }

    /// A lasting error beyond this is corrected slowly, until it is below the second value.
    private static var driftLimits: (begin: Int, end: Int) {
        (AudioPlan.sampleRate * 3 / 1000, AudioPlan.sampleRate / 1000)
    }
    /// The largest change of speed. A change of 0.2 % is inaudible.
    private static var mostDrift: Double { 0.002 }
    /// The time in seconds in which a drift is corrected.
    private static var driftSeconds: Double { 4 }
    /// At the end of a track few blocks are left to agree. An error beyond this is a gap even so.
    private static var largeError: Int { AudioPlan.sampleRate / 10 }
    private static var enoughBlocks: Int { 8 }

    /// Blocks that follow each other, so that a source with tiny ones does not cost more.
    private struct Waiting {
        var blocks: [(block: Block, count: Int)]
        var start: Int
        var count: Int
    }

    /// Blocks are joined up to this number of samples, and if the error between them is at most the second value.
    private static var joined: (samples: Int, error: Int) { (1024, AudioPlan.sampleRate / 1000) }

    /// With more blocks waiting, their errors are no longer told apart.
    private static var mostWaiting: Int { 2000 }

    private let limit: Int
    private var waiting: [Waiting] = []
    private var waitingSamples = 0
    private var hasStarted = false
    private var isCorrecting = false
    private var fraction = 0.0

    /// The number of samples placed so far, including silence.
    private(set) var position = 0
    /// The number of gaps that became silence, and of overlaps that were dropped.
    private(set) var gaps = 0

    /// - Parameter limit: The number of samples of the track.
    init(limit: Int) { self.limit = limit }

    var isFull: Bool { position >= limit }

    /// Takes the next block, whose first sample belongs at `start`, and returns what can be placed.
    mutating func add(_ block: Block, start: Int, count: Int) -> [Step] {
        guard count > 0, !isFull else { return [] }
        if let last = waiting.last, last.count + count <= Self.joined.samples,
            abs(start - last.start - last.count) <= Self.joined.error || waiting.count >= Self.mostWaiting
        {
            waiting[waiting.count - 1].blocks.append((block, count))
            waiting[waiting.count - 1].count += count
        } else {
            waiting.append(Waiting(blocks: [(block, count)], start: start, count: count))
        }
        waitingSamples += count
        var steps: [Step] = []
        while let first = waiting.first, waitingSamples - first.count >= Self.longWindow, !isFull {
            steps += place()
        }
        return steps
    }

    /// Returns the rest.
    mutating func finish() -> [Step] {
        var steps: [Step] = []
        while !waiting.isEmpty, !isFull { steps += place() }
        return steps
    }

    private mutating func place() -> [Step] {
        let errors = errors()
        let gap = gap(errors)
        let next = waiting.removeFirst()
        waitingSamples -= next.count
        if gap != 0, hasStarted { gaps += 1 }
        var silence = min(max(gap, 0), limit - position)
        var dropping = max(-gap, 0)
        var extra = gap == 0 && hasStarted ? drift(errors, count: next.count) : 0
        var steps: [Step] = []
        for (block, count) in next.blocks {
            let dropped = min(dropping, count)
            dropping -= dropped
            let taken = dropped..<max(dropped, min(count, dropped + limit - position - silence - max(extra, 0)))
            if !taken.isEmpty || silence > 0 { hasStarted = true }
            let stretched = taken.count == count && count > abs(extra) ? extra : 0
            position += silence + taken.count + stretched
            steps.append(Step(silence: silence, block: block, range: taken, extra: stretched))
            extra -= stretched
            silence = 0
        }
        fraction += Double(extra)
        return steps
    }

    /// How late each waiting block would be placed too early, in samples, if all followed without a gap.
    private func errors() -> [Int] {
        var expected = position
        return waiting.map { next in
            defer { expected += next.count }
            return next.start - expected
        }
    }

    /// The gap before the first waiting block; negative for an overlap.
    private func gap(_ errors: [Int]) -> Int {
        guard let own = errors.first else { return 0 }
        var samples = 0
        let near = zip(errors, waiting).prefix { _, next in
            defer { samples += next.count }
            return samples < Self.shortWindow
        }
        let common = Self.median(near.map(\.0))
        if !hasStarted { return abs(own - common) <= Self.largeError ? common : own }
        guard abs(own) > Self.tolerance else { return 0 }
        guard near.count >= Self.enoughBlocks || waitingSamples >= Self.shortWindow else {
            return abs(own) > Self.largeError ? own : 0
        }
        // Jitter moves the median, the more the wider it is spread.
        let sorted = near.map(\.0).sorted()
        let spread = sorted[sorted.count * 3 / 4] - sorted[sorted.count / 4]
        guard abs(common) > Self.tolerance + spread / 2, (common > 0) == (own > 0) else { return 0 }
        return common
    }

    /// The number of samples to add to a block of `count`, or to remove from it, because of a small lasting error.
    private mutating func drift(_ errors: [Int], count: Int) -> Int {
        guard errors.count >= Self.enoughBlocks else { return 0 }
        let lasting = Self.median(errors)
        if abs(lasting) > Self.driftLimits.begin { isCorrecting = true }
        if abs(lasting) < Self.driftLimits.end { isCorrecting = false }
        // A drift is the same now as later; a gap ahead is not.
        let half = errors.count / 2
        let change = Self.median(Array(errors[..<half])) - Self.median(Array(errors[half...]))
        guard isCorrecting, abs(lasting) <= 4 * Self.tolerance, abs(errors[0] - lasting) <= Self.tolerance,
            abs(change) <= max(Self.driftLimits.begin, abs(lasting) / 2)
        else { return 0 }
        let rate = Double(lasting) / (Self.driftSeconds * Double(AudioPlan.sampleRate))
        fraction += min(max(rate, -Self.mostDrift), Self.mostDrift) * Double(count)
        let whole = Int(fraction)
        fraction -= Double(whole)
        return max(whole, 1 - count)
    }

    private static func median(_ values: [Int]) -> Int {
        values.isEmpty ? 0 : values.sorted()[values.count / 2]
    }
}

/// Changes the number of samples of a block by a few, without a click.
enum SampleStretch {
    /// The number of samples on each side that an interpolated one is made from.
    private static let reach = 6

    /// Interpolates with a Lanczos kernel. The first and the last sample keep their places relative to the neighbouring
    /// blocks.
    static func stretched(_ samples: some RandomAccessCollection<Float>, by extra: Int) -> [Float] {
        let input = Array(samples)
        let count = input.count + extra
        guard extra != 0, count > 0, !input.isEmpty else { return input }
        let ratio = Double(input.count) / Double(count)
        return (0..<count).map { index in
            let place = (Double(index) + 0.5) * ratio - 0.5
            let base = Int(place.rounded(.down))
            var (sum, weights) = (0.0, 0.0)
            for neighbour in base - reach + 1...base + reach {
                let weight = kernel(place - Double(neighbour))
                sum += weight * Double(input[min(max(neighbour, 0), input.count - 1)])
                weights += weight
            }
            return Float(sum / weights)
        }
    }

    private static func kernel(_ distance: Double) -> Double {
        if abs(distance) < 1e-9 { return 1 }
        guard abs(distance) < Double(reach) else { return 0 }
        let angle = distance * .pi
        return sin(angle) / angle * sin(angle / Double(reach)) / (angle / Double(reach))
    }
}
