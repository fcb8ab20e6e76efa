import ClairoCore
import Foundation
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

    private static func isNear(_ samples: some Collection<Float>, _ level: Float) -> Bool {
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
        if plain.channelOrder == .unspecified {
            #expect(converted.warnings.map(\.code) == [.layoutGuessed])
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

    /// Levels by ITU-R BS.775: front at 0 dB, centre and surround at -3 dB, nothing of the low-frequency channel.
    @Test(arguments: [(0, 0.2, 0), (1, 0, 0.2), (2, 0.1414, 0.1414), (3, 0, 0), (4, 0.1414, 0), (5, 0, 0.1414)])
    func eachChannelOfSurroundHasItsLevelInStereo(channel: Int, left: Float, right: Float) throws {
        var levels = [Float](repeating: 0, count: 6)
        levels[channel] = 0.2
        let converted = try Self.convert([Self.frame(levels), Self.frame(levels)])
        #expect(converted.samples.map(\.count) == [2048, 2048])
        #expect(Self.isNear(converted.samples[0], left) && Self.isNear(converted.samples[1], right))
        #expect(converted.warnings.isEmpty)
    }

    @Test func surroundKeepsItsChannels() throws {
        let levels: [Float] = [0.1, -0.2, 0.3, -0.4, 0.5, -0.6]
        let converted = try Self.convert([Self.frame(levels)], channels: 6)
        for (samples, level) in zip(converted.samples, levels) { #expect(Self.isNear(samples, level)) }
        // The default layout of eight channels is 7.1: back, then side.
        let eight = try Self.convert([Self.frame([0.1, -0.2, 0.3, -0.4, 0.5, 0, 0, -0.6])], channels: 6)
        for (samples, level) in zip(eight.samples, [0.1, -0.2, 0.3, -0.4, 0.3536, -0.4243] as [Float]) {
            #expect(Self.isNear(samples, level))
        }
    }

    @Test func aLoudMixIsLimitedInsteadOfClipped() throws {
        let full = try Self.frame([1, -1, 1, 1, 1, -1], count: 4800)
        let converted = try Self.convert([full, full])
        #expect(converted.samples.map(\.count) == [9600, 9600])
        let limit = Float(pow(10, -1.0 / 20))
        #expect(converted.samples.joined().allSatisfy { abs($0) <= limit + 0.01 })
        // Left has 1 + 0.7 + 0.7, right -1 + 0.7 - 0.7; both have the same gain.
        #expect(Self.isNear(converted.samples[0].suffix(1000), limit))
        #expect(Self.isNear(converted.samples[1].suffix(1000), -limit / 2.4142))
    }
}
