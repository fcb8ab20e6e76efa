/// The gains with which a channel at a position is mixed to 5.1, and from there to stereo and mono.
struct SpeakerGains {
    /// -3 dB: half of the power.
    static let half = Float(0.5).squareRoot()

    /// Left, right, centre, low frequency, surround left, surround right.
    private var surround: [Float] = [0, 0, 0, 0, 0, 0]

    /// The pairs of surround channels.
    private static let surroundPairs: [(left: Int32, right: Int32)] = [(4, 5), (9, 10), (33, 34)]

    /// - Parameters:
    ///   - position: A value of libav's `AVChannel`.
    ///   - positions: All positions of the layout.
    /// - Returns: Nil for a position that is not used.
    init?(of position: Int32, among positions: [Int32]) {
        let (left, right, center, low, surroundLeft, surroundRight) = (0, 1, 2, 3, 4, 5)
        let half = Self.half
        // Several pairs of surround channels share the power of one.
        let pairs = Self.surroundPairs.filter { positions.contains($0.left) || positions.contains($0.right) }.count
        let share = 1 / Float(max(pairs, 1)).squareRoot()
        switch position {
        case 0, 6, 31: surround[left] = 1
        case 1, 7, 32: surround[right] = 1
        case 2: surround[center] = 1
        case 3: surround[low] = 1
        case 35: surround[low] = positions.contains(3) ? half : 1
        case 4, 9, 33: surround[surroundLeft] = share
        case 5, 10, 34: surround[surroundRight] = share
        case 8: (surround[surroundLeft], surround[surroundRight]) = (half, half)
        // A stereo mix beside the channels that it is made of would double them.
        case 29 where !positions.contains(0): surround[left] = 1
        case 30 where !positions.contains(1): surround[right] = 1
        // Above and below.
        case 12, 39: surround[left] = half
        case 14, 40: surround[right] = half
        case 13, 38: surround[center] = half
        case 15, 36: surround[surroundLeft] = half
        case 17, 37: surround[surroundRight] = half
        case 11, 16: (surround[surroundLeft], surround[surroundRight]) = (0.5, 0.5)
        default: return nil
        }
    }

    /// The gains of the channels of an output: 1 for mono, 2 for stereo, 6 for 5.1.
    func values(outputs: Int) -> [Float] {
        guard outputs < 6 else { return surround }
        // ITU-R BS.775, Annex 4: centre and surround at -3 dB, without the low-frequency channel.
        let left = surround[0] + Self.half * (surround[2] + surround[4])
        let right = surround[1] + Self.half * (surround[2] + surround[5])
        return outputs == 2 ? [left, right] : [(left + right) / 2]
    }
}
