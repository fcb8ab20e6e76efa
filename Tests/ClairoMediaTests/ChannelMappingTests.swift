import Libav
import Testing

@testable import ClairoMedia

@Suite struct ChannelMappingTests {
    private static let half = Float(0.5).squareRoot()

    private static func map(
        _ positions: [Int32], _ order: Frame.ChannelOrder = .native, outputs: Int = 2
    ) -> ChannelMapping {
        ChannelMapping(order: order, positions: positions, layout: "layout", outputs: outputs)
    }

    private static func isNear(_ gains: [[Float]], _ wanted: [[Float]]) -> Bool {
        gains.count == wanted.count
            && zip(gains, wanted).allSatisfy { row, other in
                row.count == other.count && zip(row, other).allSatisfy { abs($0 - $1) < 1e-5 }
            }
    }

    @Test(arguments: [([2], 1), ([0, 1], 2), ([0, 1, 2, 3, 4, 5], 6), ([0, 1, 2, 3, 9, 10], 6)] as [([Int32], Int)])
    func theLayoutOfTheOutputIsUsedAsItIs(positions: [Int32], outputs: Int) {
        let mapping = Self.map(positions, outputs: outputs)
        #expect(mapping.isIdentity && !mapping.mayExceedSource && mapping.guess == nil)
        #expect(mapping.channels == Array(0..<outputs))
    }

    @Test func surroundBecomesStereoByBS775() {
        let h = Self.half
        // 5.1, with the surround channels at the back or at the sides. The low-frequency channel is left out.
        for surround: [Int32] in [[4, 5], [9, 10]] {
            let mapping = Self.map([0, 1, 2, 3] + surround)
            #expect(mapping.guess == nil && mapping.mayExceedSource)
            let columns: [Int: [Float]] = [0: [1, 0], 1: [0, 1], 2: [h, h], 4: [h, 0], 5: [0, h]]
            #expect(Set(mapping.channels) == Set(columns.keys))
            for (column, channel) in mapping.channels.enumerated() {
                #expect(Self.isNear([mapping.gains.map { $0[column] }], [columns[channel] ?? []]))
            }
        }
        // 4.0: one surround channel is half as strong on each side as a pair.
        let back = Self.map([0, 1, 2, 8])
        let column = back.channels.firstIndex(of: 3) ?? 0
        #expect(Self.isNear([back.gains.map { $0[column] }], [[0.5, 0.5]]))
    }

    @Test func monoIsTheMeanOfLeftAndRight() {
        #expect(Self.isNear(Self.map([0, 1], outputs: 1).gains, [[0.5, 0.5]]))
        #expect(Self.isNear(Self.map([2], outputs: 1).gains, [[1]]))
        #expect(Self.isNear(Self.map([2], outputs: 2).gains, [[Self.half], [Self.half]]))
        #expect(Self.isNear(Self.map([2], outputs: 6).gains, [[0], [0], [1], [0], [0], [0]]))
    }

    @Test func sevenChannelsFoldToFive() {
        let mapping = Self.map([0, 1, 2, 3, 4, 5, 9, 10], outputs: 6)
        #expect(mapping.guess == nil && mapping.channels.count == 8)
        for (column, channel) in mapping.channels.enumerated() {
            let gains = mapping.gains.map { $0[column] }
            let output = channel < 6 ? channel : channel - 2
            var wanted = [Float](repeating: 0, count: 6)
            wanted[output] = channel < 4 ? 1 : Self.half
            #expect(Self.isNear([gains], [wanted]), "channel \(channel)")
        }
    }

    @Test func channelsInAnotherOrderAreSorted() {
        // Centre, left, right, side left, side right, low frequency.
        let mapping = Self.map([2, 0, 1, 9, 10, 3], .custom, outputs: 6)
        #expect(mapping.channels == [1, 2, 0, 5, 3, 4] && mapping.isIdentity && mapping.guess == nil)
    }

    @Test func unpairedChannelsAreMixedToo() {
        let mapping = Self.map([0, 1, 2, 3, 9])
        #expect(mapping.guess == nil && mapping.channels.contains(4))
        // A position that is not known to Clairo.
        #expect(Self.map([0, 1, 2, 3, 9, 62]).guess?.contains("1 of its 6 channels") == true)
    }

    @Test func twoOddChannelsAreLeftAndRight() {
        for (positions, channels) in [([0, 2], [0, 1]), ([2, 3, 9], [0, 2])] as [([Int32], [Int])] {
            let mapping = Self.map(positions)
            #expect(mapping.channels == channels && mapping.isIdentity && mapping.guess != nil)
        }
    }

    @Test func aSoundFieldIsItsFirstComponent() {
        let positions = (0..<4).map { Int32(0x400 + $0) }
        for order in [Frame.ChannelOrder.ambisonic, .custom] {
            let mapping = Self.map(positions, order)
            #expect(mapping.channels == [0] && mapping.gains == [[1], [1]] && mapping.guess != nil)
        }
    }

    @Test func unknownPositionsHaveTheUsualLayout() {
        let unknown = Array(repeating: Int32(-1), count: 12)
        #expect(Self.map(Array(unknown.prefix(2)), .unspecified) == Self.map([0, 1]))
        let six = Self.map(Array(unknown.prefix(6)), .unspecified, outputs: 6)
        #expect(six.isIdentity && six.guess != nil)
        #expect(Self.map(unknown, .unspecified).channels == [0, 1])
        #expect(Self.map(Array(repeating: 0x300, count: 12), .custom).channels == [0, 1])
    }

    @Test func anyPositionsGiveExistingChannels() {
        let positions: [Int32] = [-1, 0, 1, 2, 3, 9, 10, 12, 29, 62, 63, 0x200, 0x400]
        for first in positions {
            for second in positions {
                for order in [Frame.ChannelOrder.unspecified, .native, .custom, .ambisonic] {
                    for list in [[first], [first, second], [first, 8, second]] {
                        for outputs in [1, 2, 6] {
                            let mapping = Self.map(list, order, outputs: outputs)
                            let isUsable =
                                !mapping.channels.isEmpty && mapping.gains.count == outputs
                                && mapping.gains.allSatisfy { $0.count == mapping.channels.count }
                                && mapping.channels.allSatisfy { list.indices.contains($0) }
                            #expect(isUsable, "\(list) \(order) \(outputs)")
                        }
                    }
                }
            }
        }
    }
}
