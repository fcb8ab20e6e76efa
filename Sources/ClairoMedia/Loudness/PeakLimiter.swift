internal import Foundation

/// Lowers the level around peaks of a mix, so that its true peak does not exceed -1 dBTP. Below that nothing changes.
///
/// It looks ahead by 5 ms, lowers the gain in that time and raises it slowly afterwards. All channels have the same
/// gain, and each block keeps its place.
struct PeakLimiter<Tag> {
    /// Samples of each channel, and what the caller calls them.
    struct Block {
        var channels: [[Float]]
        var tag: Tag

        var count: Int { channels.first?.count ?? 0 }
    }

    /// In dBTP.
    static var ceiling: Double { -1 }

    /// The number of samples over which the gain falls.
    private static var attack: Int { 240 }
    /// The part of the way back to full gain in one sample: a time constant of 100 ms.
    private static var release: Float { 1 / 4800 }

    private let limit = Float(pow(10, Self.ceiling / 20))
    private var filters: [TruePeakFilter]
    /// The blocks that wait for samples after them.
    private var waiting: ArraySlice<Block> = []
    /// The largest gain at each waiting sample that keeps the limit, as far as it is known.
    private var allowed: [Float] = []
    /// Estimates at the start are of samples before the first.
    private var unused = TruePeakFilter.delay
    /// The gains of the last samples before they are averaged, in a ring.
    private var recent = [Float](repeating: 1, count: Self.attack)
    private var sum = Double(Self.attack)
    private var position = 0
    private var level: Float = 1
    private var hasStarted = false

    init(channels: Int) { filters = Array(repeating: TruePeakFilter(), count: channels) }

    /// Takes the next block.
    mutating func add(_ channels: [[Float]], as tag: Tag) {
        measure(channels)
        waiting.append(Block(channels: channels, tag: tag))
    }

    /// Returns the blocks that are finished.
    mutating func take() -> [Block] { take(isEnd: false) }

    /// Returns the remaining blocks.
    mutating func finish() -> [Block] {
        measure(filters.map { _ in [Float](repeating: 0, count: TruePeakFilter.delay) })
        return take(isEnd: true)
    }

    private mutating func measure(_ channels: [[Float]]) {
        let count = channels.first?.count ?? 0
        var peaks = [Float](repeating: 0, count: count)
        for (index, samples) in channels.enumerated() {
            if filters[index].staysBelow(limit, samples[...]) {
                filters[index].skip(samples[...])
            } else {
                let own = filters[index].peaks(of: samples[...])
                for sample in peaks.indices { peaks[sample] = max(peaks[sample], own[sample]) }
            }
        }
        let skipped = min(unused, count)
        unused -= skipped
        allowed.append(contentsOf: peaks.dropFirst(skipped).map { $0 > limit ? limit / $0 : 1 })
    }

    private mutating func take(isEnd: Bool) -> [Block] {
        var finished: [Block] = []
        while let first = waiting.first, isEnd || allowed.count >= first.count + Self.attack {
            waiting.removeFirst()
            finished.append(limited(first))
        }
        return finished
    }

    private mutating func limited(_ block: Block) -> Block {
        let count = block.count
        let ahead = allowed.prefix(count + Self.attack)
        defer { allowed.removeFirst(min(count, allowed.count)) }
        if level == 1, !ahead.contains(where: { $0 < 1 }), !recent.contains(where: { $0 < 1 }) {
            sum = Double(Self.attack)
            hasStarted = true
            return block
        }
        let lowest = Self.lowest(Array(ahead), count: count)
        if !hasStarted, let first = lowest.first {
            // There was no time to lower the gain before a loud beginning.
            recent = Array(repeating: first, count: Self.attack)
            sum = Double(first) * Double(Self.attack)
        }
        hasStarted = true
        let gains = lowest.map { lowest in
            level = min(lowest, level + (1 - level) * Self.release)
            // Close enough to be the same sample.
            if level > 0.99999 { level = 1 }
            sum += Double(level - recent[position])
            recent[position] = level
            position = (position + 1) % recent.count
            return Float(sum / Double(Self.attack))
        }
        var block = block
        for channel in block.channels.indices {
            for index in 0..<count { block.channels[channel][index] *= gains[index] }
        }
        return block
    }

    /// The lowest of the values from each index on within the time of an attack. Beyond the end they are 1.
    private static func lowest(_ values: [Float], count: Int) -> [Float] {
        // Minima to both ends of sections that are as long as the attack; each range is the end of one and the start of
        // the next.
        let values = values + [Float](repeating: 1, count: max(0, count + attack - values.count))
        var (forward, backward) = (values, values)
        for index in values.indices where index % attack != 0 {
            forward[index] = min(forward[index], forward[index - 1])
        }
        for index in values.indices.dropLast().reversed() where (index + 1) % attack != 0 {
            backward[index] = min(backward[index], backward[index + 1])
        }
        return (0..<count).map { min(backward[$0], forward[$0 + attack - 1]) }
    }
}
