internal import Libav

/// How the channels of a source's audio are mixed to mono, stereo or 5.1.
///
/// Every position of a source has a place in 5.1 (`SpeakerGains`). Stereo is mixed from that by ITU-R BS.775, and mono is
/// the mean of left and right. Levels are kept, so the sum of channels may exceed full scale; `PeakLimiter` follows.
/// Audio without usable positions becomes left and right.
struct ChannelMapping: Hashable {
    /// Indexes of the channels of the source that are used.
    var channels: [Int]
    /// For each channel of the output, the gains of the used channels.
    var gains: [[Float]]
    /// What was guessed or left out, as part of a sentence; nil if nothing was.
    var guess: String?

    /// - Parameters:
    ///   - positions: The `AVChannel` of each channel; negative if it is unknown.
    ///   - layout: libav's name of the layout, for messages.
    ///   - outputs: The number of channels of the output: 1, 2, or 6 for 5.1.
    init(order: Frame.ChannelOrder, positions: [Int32], layout: String, outputs: Int) {
        switch order {
        case .unspecified: self = Self.unlabelled(count: positions.count, outputs: outputs)
        case .ambisonic: self = Self.soundField(omnidirectional: 0, layout: layout, outputs: outputs)
        case .native, .custom: self = Self.labelled(positions, layout: layout, outputs: outputs)
        }
    }

    private init(channels: [Int], gains: [[Float]], guess: String? = nil) {
        self.channels = channels
        self.gains = gains
        self.guess = guess
    }

    /// The first two channels of any audio as left and right.
    static func firstTwo(count: Int, outputs: Int) -> ChannelMapping {
        sides(0, count > 1 ? 1 : 0, outputs: outputs)
    }

    /// Whether the used channels become those of the output as they are.
    var isIdentity: Bool {
        channels.count == gains.count
            && gains.enumerated().allSatisfy { row, gains in
                gains.enumerated().allSatisfy { $0.element == ($0.offset == row ? 1 : 0) }
            }
    }

    /// Whether the mix may be louder than each of its channels.
    var mayExceedSource: Bool { gains.contains { $0.reduce(0, +) > 1.0001 } }

    /// The samples of the output.
    /// - Parameter block: Planar float samples of the used channels.
    func mix(_ block: Frame) -> [[Float]] {
        gains.map { gains in
            var output = [Float](repeating: 0, count: block.sampleCount)
            for (channel, gain) in gains.enumerated() where gain != 0 {
                _ = block.withSamples(channel: channel) { samples in
                    output.withUnsafeMutableBufferPointer { output in
                        for index in output.indices { output[index] += gain * samples[index] }
                    }
                }
            }
            return output
        }
    }

    private static let frontLeft: Int32 = 0
    private static let frontCenter: Int32 = 2
    private static let ambisonicBase: Int32 = 0x400
    /// Front positions, of which a layout for speakers has one.
    private static let front: Set<Int32> = [0, 1, 2, 6, 7]
    private static let lowFrequency: Set<Int32> = [3, 35]
    /// Left and right channels that belong together, the nearest to the front first: front, downmix, front of centre,
    /// wide, side, back, surround direct, and those above and below.
    private static let pairs: [(left: Int32, right: Int32)] = [
        (0, 1), (29, 30), (6, 7), (31, 32), (9, 10), (4, 5), (33, 34), (12, 14), (36, 37), (15, 17), (39, 40),
    ]
    private static let partners: [Int32: Int32] = Dictionary(
        uniqueKeysWithValues: pairs.flatMap { [($0.left, $0.right), ($0.right, $0.left)] })
    /// The positions of the usual layouts of 1 to 8 channels: mono, stereo, 2.1, 4.0, 5.0, 5.1, 6.1, 7.1.
    private static let usual: [[Int32]] = [
        [2], [0, 1], [0, 1, 3], [0, 1, 2, 8], [0, 1, 2, 4, 5], [0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 8, 9, 10],
        [0, 1, 2, 3, 4, 5, 9, 10],
    ]

    /// Two channels as left and right; one channel on both sides keeps its level.
    private static func sides(_ left: Int, _ right: Int, outputs: Int, guess: String? = nil) -> ChannelMapping {
        let channels = left == right ? [left] : [left, right]
        let sides: [[Float]] = left == right ? [[1], [1]] : [[1, 0], [0, 1]]
        let gains: [[Float]] =
            switch outputs {
            case 1: [left == right ? [1] : [0.5, 0.5]]
            default: sides + Array(repeating: channels.map { _ in 0 }, count: max(0, outputs - 2))
            }
        return ChannelMapping(channels: channels, gains: gains, guess: guess)
    }

    private static func unlabelled(count: Int, outputs: Int) -> ChannelMapping {
        guard (1...usual.count).contains(count) else {
            var mapping = firstTwo(count: count, outputs: outputs)
            mapping.guess = "has \(count) channels without a layout; only the first two are used"
            return mapping
        }
        var mapping = speakers(usual[count - 1], layout: "", outputs: outputs)
        // One or two channels need no guess.
        if count > 2 {
            mapping.guess = "has \(count) channels without a layout; the usual layout for this number is assumed"
        }
        return mapping
    }

    private static func soundField(omnidirectional index: Int, layout: String, outputs: Int) -> ChannelMapping {
        sides(
            index, index, outputs: outputs,
            guess: "is a sound field (\(layout)); only its omnidirectional component is used")
    }

    private static func labelled(_ positions: [Int32], layout: String, outputs: Int) -> ChannelMapping {
        if let index = positions.firstIndex(of: ambisonicBase) {
            return soundField(omnidirectional: index, layout: layout, outputs: outputs)
        }
        if positions.count == 1 { return speakers([frontCenter], layout: layout, outputs: outputs) }
        var indexes: [Int32: Int] = [:]
        for (index, position) in positions.enumerated() where (0..<63).contains(position) {
            if indexes[position] == nil { indexes[position] = index }
        }
        if indexes.isEmpty { return unlabelled(count: positions.count, outputs: outputs) }

        let hasPairs = indexes.keys.allSatisfy { position in partners[position].map { indexes[$0] != nil } ?? true }
        let isComplete = indexes.count == positions.count && hasPairs
        let main = positions.indices.filter { !lowFrequency.contains(positions[$0]) }
        if !isComplete, main.count == 2 {
            return sides(
                main[0], main[1], outputs: outputs,
                guess: "has an unusual layout (\(layout)); its two main channels are used as left and right")
        }
        if main.count == 1, positions[main[0]] != frontCenter {
            return sides(
                main[0], main[0], outputs: outputs,
                guess: "has an unusual layout (\(layout)); its main channel is used on both sides")
        }
        if !front.isDisjoint(with: indexes.keys) { return speakers(positions, layout: layout, outputs: outputs) }
        for pair in pairs {
            guard let left = indexes[pair.left], let right = indexes[pair.right] else { continue }
            let isDownmix = pair.left == 29 && positions.count == 2
            return sides(
                left, right, outputs: outputs,
                guess: isDownmix
                    ? nil : "has an unusual layout (\(layout)); two of its channels are used as left and right")
        }
        var mapping = firstTwo(count: positions.count, outputs: outputs)
        mapping.guess = "has an unusual layout (\(layout)); only the first two channels are used"
        return mapping
    }

    /// Mixes channels by their positions.
    private static func speakers(_ positions: [Int32], layout: String, outputs: Int) -> ChannelMapping {
        var channels: [Int] = []
        var columns: [[Float]] = []
        var known = 0
        for (index, position) in positions.enumerated() where positions.firstIndex(of: position) == index {
            guard let gains = SpeakerGains(of: position, among: positions) else { continue }
            known += 1
            let column = positions == [frontCenter] && outputs == 1 ? [1] : gains.values(outputs: outputs)
            // The low-frequency channel is not part of stereo.
            guard column.contains(where: { $0 != 0 }) else { continue }
            channels.append(index)
            columns.append(column)
        }
        // In the order of the output, if all that is needed is another order.
        let order = channels.indices.sorted {
            (columns[$0].firstIndex { $0 != 0 } ?? 0, $0) < (columns[$1].firstIndex { $0 != 0 } ?? 0, $1)
        }
        let missing = positions.count - known
        return ChannelMapping(
            channels: order.map { channels[$0] },
            gains: (0..<outputs).map { output in order.map { columns[$0][output] } },
            guess: missing == 0
                ? nil
                : "has an unusual layout (\(layout)); \(missing) of its \(positions.count) channels are missing from "
                    + "the mix")
    }
}
