internal import Libav

/// Which channels of a source's audio are mixed to mono or stereo, and as which positions.
///
/// libav mixes layouts that have front channels and whose other channels come in pairs. Here every other layout becomes
/// one of those: odd channels are left out, a pair at another position becomes left and right, and audio without
/// positions is used as its first two channels.
struct ChannelMapping: Hashable {
    /// Channels to use instead of all.
    struct Selection: Hashable {
        /// Indexes of channels, in the order of the bits of `mask`.
        var channels: [Int]
        /// Their positions: bit `n` is the value `n` of libav's `AVChannel`.
        var mask: UInt64
    }

    /// The channels to use; nil for all of them, as libav mixes them.
    var selection: Selection?
    /// What was guessed or left out, as part of a sentence; nil if nothing was.
    var guess: String?

    /// - Parameters:
    ///   - positions: The `AVChannel` of each channel; negative if it is unknown.
    ///   - layout: libav's name of the layout, for messages.
    init(order: Frame.ChannelOrder, positions: [Int32], layout: String) {
        switch order {
        case .unspecified:
            // One or two channels need no guess.
            self = positions.count <= 2 ? Self(nil) : Self.unlabelled(count: positions.count)
        case .ambisonic: self = Self.soundField(omnidirectional: 0, layout: layout)
        case .native, .custom: self = Self.labelled(positions, isNative: order == .native, layout: layout)
        }
    }

    private init(_ selection: Selection?, guess: String? = nil) {
        self.selection = selection
        self.guess = guess
    }

    /// The first two channels of any audio.
    static func firstTwo(count: Int) -> Selection { sides(0, count > 1 ? 1 : 0) }

    private static let frontLeft: Int32 = 0
    private static let frontCenter: Int32 = 2
    private static let ambisonicBase: Int32 = 0x400
    private static let stereo: UInt64 = 0b11
    private static let mono: UInt64 = 0b100
    private static let lowFrequency: Set<Int32> = [3, 35]
    /// Left and right channels that belong together, the nearest to the front first: front, downmix, front of centre,
    /// wide, side, back, surround direct, and those above and below.
    private static let pairs: [(left: Int32, right: Int32)] = [
        (0, 1), (29, 30), (6, 7), (31, 32), (9, 10), (4, 5), (33, 34), (12, 14), (36, 37), (15, 17), (39, 40),
    ]
    private static let partners: [Int32: Int32] = Dictionary(
        uniqueKeysWithValues: pairs.flatMap { [($0.left, $0.right), ($0.right, $0.left)] })
    /// The channels that libav's downmix uses. It leaves out the low-frequency channels, as is usual, and in some
    /// versions all others.
    private static let downmixed: Set<Int32> = [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 29, 30]
    /// libav's default layouts of 1 to 8 channels.
    private static let defaultMasks: [UInt64] = [0x4, 0x3, 0xB, 0x107, 0x37, 0x3F, 0x70F, 0x63F]

    private static func sides(_ left: Int, _ right: Int) -> Selection {
        Selection(channels: [left, right], mask: stereo)
    }

    private static func unlabelled(count: Int) -> ChannelMapping {
        guard (1...defaultMasks.count).contains(count) else {
            return ChannelMapping(
                firstTwo(count: count), guess: "has \(count) channels without a layout; only the first two are used")
        }
        let usual = Selection(channels: Array(0..<count), mask: defaultMasks[count - 1])
        guard count > 2 else { return ChannelMapping(usual) }
        return ChannelMapping(
            usual, guess: "has \(count) channels without a layout; the usual layout for this number is assumed")
    }

    private static func soundField(omnidirectional index: Int, layout: String) -> ChannelMapping {
        // The same channel twice keeps its level, which mixing from mono to stereo does not.
        ChannelMapping(
            sides(index, index),
            guess: "is a sound field (\(layout)); only its omnidirectional component is used")
    }

    private static func labelled(_ positions: [Int32], isNative: Bool, layout: String) -> ChannelMapping {
        if let index = positions.firstIndex(of: ambisonicBase) {
            return soundField(omnidirectional: index, layout: layout)
        }
        if positions.count == 1 {
            let isMono = isNative && positions[0] == frontCenter
            return ChannelMapping(isMono ? nil : Selection(channels: [0], mask: mono))
        }
        var indexes: [Int32: Int] = [:]
        for (index, position) in positions.enumerated() where (0..<63).contains(position) {
            if indexes[position] == nil { indexes[position] = index }
        }
        if indexes.isEmpty { return unlabelled(count: positions.count) }

        let paired = indexes.keys.filter { position in partners[position].map { indexes[$0] != nil } ?? true }.sorted()
        let isComplete = paired.count == positions.count
        let speakers = positions.indices.filter { !lowFrequency.contains(positions[$0]) }
        if !isComplete, speakers.count == 2 {
            return ChannelMapping(
                sides(speakers[0], speakers[1]),
                guess: "has an unusual layout (\(layout)); its two main channels are used as left and right")
        }
        if paired.contains(frontLeft) || paired.contains(frontCenter) {
            let used = paired.filter { downmixed.contains($0) || lowFrequency.contains($0) }.count
            let guess =
                used == positions.count
                ? nil
                : "has an unusual layout (\(layout)); \(positions.count - used) of its \(positions.count) channels "
                    + "may be missing from the mix"
            if isNative, isComplete { return ChannelMapping(nil, guess: guess) }
            let mask = paired.reduce(UInt64(0)) { $0 | UInt64(1) << UInt64($1) }
            return ChannelMapping(Selection(channels: paired.compactMap { indexes[$0] }, mask: mask), guess: guess)
        }
        for pair in pairs {
            guard let left = indexes[pair.left], let right = indexes[pair.right] else { continue }
            let isDownmix = pair.left == 29 && positions.count == 2
            return ChannelMapping(
                sides(left, right),
                guess: isDownmix
                    ? nil : "has an unusual layout (\(layout)); two of its channels are used as left and right")
        }
        if speakers.count == 1 {
            return ChannelMapping(
                sides(speakers[0], speakers[0]),
                guess: "has an unusual layout (\(layout)); its main channel is used on both sides")
        }
        return ChannelMapping(
            firstTwo(count: positions.count),
            guess: "has an unusual layout (\(layout)); only the first two channels are used")
    }
}
