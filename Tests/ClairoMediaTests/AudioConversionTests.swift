import ClairoCore
import Libav
import Testing

@testable import ClairoMedia

@Suite struct AudioConversionTests {
    /// A frame in which every sample of channel `n` is `levels[n]`.
    private static func frame(_ levels: [Float], rate: Int = 48_000, count: Int = 1024) throws -> Frame {
        let channels = levels.map { Array(repeating: $0, count: count)[...] }
        return try Frame.audio(channels: channels, sampleRate: rate, pts: 0)
    }

    private struct Converted {
        var samples: [[Float]]
        var times: [Rational]
        var warnings: [MediaWarning]
    }

    /// Converts frames that follow one another.
    private static func convert(_ frames: [Frame], channels: Int = 2) throws -> Converted {
        let conversion = AudioConversion(channels: channels)
        var samples = Array(repeating: [Float](), count: channels)
        var times: [Rational] = []
        func emit(_ block: Frame, _ time: Rational) {
            #expect(block.channels == channels && block.sampleRate == 48_000)
            times.append(time)
            for index in 0..<channels { _ = block.withSamples(channel: index) { samples[index] += $0 } }
        }
        var pts: Int64 = 0
        for frame in frames {
            try conversion.convert(frame, pts: pts, emit)
            pts += Int64(frame.sampleCount)
        }
        try conversion.finish(emit)
        return Converted(samples: samples, times: times, warnings: conversion.warnings)
    }

    private static func isNear(_ samples: [Float], _ level: Float) -> Bool {
        !samples.isEmpty && samples.allSatisfy { abs($0 - level) < 0.001 }
    }

    @Test func stereoIsUnchanged() throws {
        let converted = try Self.convert([Self.frame([0.25, -0.5]), Self.frame([0.25, -0.5])])
        #expect(converted.samples.map(\.count) == [2048, 2048])
        #expect(Self.isNear(converted.samples[0], 0.25) && Self.isNear(converted.samples[1], -0.5))
        #expect(converted.times.first == .zero)
        #expect(converted.warnings.isEmpty)
    }

    @Test(arguments: [9, 12, 70])
    func channelsWithoutALayoutAreUsedAsLeftAndRight(count: Int) throws {
        let plain = try Self.frame([0.25, -0.5] + Array(repeating: 0.75, count: count - 2))
        // Newer versions of libav have a default layout of 12 channels, with the same first two.
        let converted = try Self.convert([plain, plain])
        #expect(converted.samples.map(\.count) == [2048, 2048])
        #expect(converted.warnings.first?.code == .layoutGuessed)
        #expect(converted.warnings.count == 1)
        if plain.channelOrder == .unspecified {
            #expect(Self.isNear(converted.samples[0], 0.25) && Self.isNear(converted.samples[1], -0.5))
        }
    }

    @Test func sideChannelsBecomeLeftAndRight() throws {
        let side = try Self.frame([0.25, -0.5]).selecting(channels: [0, 1], as: 1 << 9 | 1 << 10)
        #expect(side.channelPositions == [9, 10] && side.channelOrder == .native)
        let converted = try Self.convert([side])
        #expect(Self.isNear(converted.samples[0], 0.25) && Self.isNear(converted.samples[1], -0.5))
        #expect(converted.warnings.map(\.code) == [.layoutGuessed])
    }

    @Test func aSingleMainChannelKeepsItsLevelOnBothSides() throws {
        let leftAndLowFrequency = try Self.frame([0.25, 0.75]).selecting(channels: [0, 1], as: 1 << 0 | 1 << 3)
        let converted = try Self.convert([leftAndLowFrequency])
        #expect(Self.isNear(converted.samples[0], 0.25) && Self.isNear(converted.samples[1], 0.25))
        let mono = try Self.convert([leftAndLowFrequency], channels: 1)
        #expect(Self.isNear(mono.samples[0], 0.25))
    }

    @Test func aChangeOfTheLayoutLosesNoSamples() throws {
        let four = try Self.frame([0.1, 0.1, 0.1, 0.1])
        let quad = try four.selecting(channels: [0, 1, 2, 3], as: 0x33)
        #expect(four.channelPositions != quad.channelPositions)
        let converted = try Self.convert([four, quad, four])
        #expect(converted.samples.map(\.count) == [3072, 3072])
        #expect(converted.times == [.zero, Rational(1024, 48_000), Rational(2048, 48_000)])
        #expect(converted.warnings.map(\.code) == [.formatChanges, .formatChanges])
    }

    @Test func aChangeOfTheRateLosesNoSamples() throws {
        let conversion = AudioConversion(channels: 1)
        var count = 0
        func emit(_ block: Frame, _ time: Rational) { count += block.sampleCount }
        try conversion.convert(try Self.frame([0.5], rate: 24_000), pts: 0, emit)
        try conversion.convert(try Self.frame([0.5], rate: 48_000), pts: 2048, emit)
        try conversion.finish(emit)
        #expect(abs(count - 3072) <= 64)
    }

    @Test func selectedChannelsAreCopiedInAnyOrder() throws {
        let frame = try Self.frame([0.1, 0.2, 0.3])
        let selected = try frame.selecting(channels: [2, 2], as: 0b11)
        #expect(selected.channels == 2 && selected.sampleCount == frame.sampleCount)
        #expect(selected.withSamples(channel: 1) { $0[100] } == 0.3)
        #expect(throws: AVError.invalidArgument) { try frame.selecting(channels: [3], as: 0b1) }
        #expect(throws: AVError.invalidArgument) { try frame.selecting(channels: [0], as: 0b11) }
    }
}

@Suite struct ChannelMappingTests {
    private static func map(_ positions: [Int32], _ order: Frame.ChannelOrder = .native) -> ChannelMapping {
        ChannelMapping(order: order, positions: positions, layout: "layout")
    }

    private static func selection(_ channels: [Int], _ mask: UInt64) -> ChannelMapping.Selection {
        ChannelMapping.Selection(channels: channels, mask: mask)
    }

    @Test(arguments: [[2], [0, 1], [0, 1, 2, 3, 9, 10], [0, 1, 2, 8], [2, 3]] as [[Int32]])
    func usualLayoutsAreMixedAsTheyAre(positions: [Int32]) {
        let mapping = Self.map(positions)
        #expect(mapping.selection == nil && mapping.guess == nil)
    }

    @Test func channelsInAnotherOrderAreSorted() {
        // Centre, left, right, side left, side right, low frequency.
        let mapping = Self.map([2, 0, 1, 9, 10, 3], .custom)
        #expect(mapping.selection == Self.selection([1, 2, 0, 5, 3, 4], 0x60F))
        #expect(mapping.guess == nil)
    }

    @Test func channelsWithoutTheirPartnerAreLeftOut() {
        let mapping = Self.map([0, 1, 2, 3, 9])
        #expect(mapping.selection == Self.selection([0, 1, 2, 3], 0xF))
        #expect(mapping.guess?.contains("1 of its 5 channels") == true)
    }

    @Test func twoOddChannelsAreLeftAndRight() {
        #expect(Self.map([0, 2]).selection == Self.selection([0, 1], 0b11))
        #expect(Self.map([2, 3, 9]).selection == Self.selection([0, 2], 0b11))
    }

    @Test func aSoundFieldIsItsFirstComponent() {
        let positions = (0..<4).map { Int32(0x400 + $0) }
        for order in [Frame.ChannelOrder.ambisonic, .custom] {
            let mapping = Self.map(positions, order)
            #expect(mapping.selection == Self.selection([0, 0], 0b11) && mapping.guess != nil)
        }
    }

    @Test func unknownPositionsHaveTheUsualLayout() {
        let unknown = Array(repeating: Int32(-1), count: 12)
        #expect(Self.map(Array(unknown.prefix(2)), .unspecified) == Self.map([0, 1]))
        let six = Self.map(Array(unknown.prefix(6)), .unspecified)
        #expect(six.selection == Self.selection([0, 1, 2, 3, 4, 5], 0x3F) && six.guess != nil)
        #expect(Self.map(unknown, .unspecified).selection == Self.selection([0, 1], 0b11))
        #expect(Self.map(Array(repeating: 0x300, count: 12), .custom).selection == Self.selection([0, 1], 0b11))
    }

    @Test func anyPositionsGiveExistingChannels() {
        let positions: [Int32] = [-1, 0, 1, 2, 3, 9, 10, 12, 29, 62, 63, 0x200, 0x400]
        for first in positions {
            for second in positions {
                for order in [Frame.ChannelOrder.unspecified, .native, .custom, .ambisonic] {
                    for list in [[first], [first, second], [first, 8, second]] {
                        guard let selection = Self.map(list, order).selection else { continue }
                        let isUsable =
                            selection.channels.count == selection.mask.nonzeroBitCount
                            && selection.channels.allSatisfy { list.indices.contains($0) }
                        #expect(isUsable, "\(list) \(order)")
                    }
                }
            }
        }
    }
}
