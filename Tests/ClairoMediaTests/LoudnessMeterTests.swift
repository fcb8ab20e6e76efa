import ClairoCore
import Foundation
import Testing

@testable import ClairoMedia

/// A sine of some seconds, with a level in dBFS (peak) for each channel.
private func tone(_ levels: [Double], seconds: Double, frequency: Double = 1000, phase: Double = 0) -> [[Float]] {
    let count = Int(seconds * 48_000)
    let wave = (0..<count).map { Float(sin(2 * .pi * frequency * Double($0) / 48_000 + phase)) }
    return levels.map { level in
        let amplitude = Float(pow(10, level / 20))
        return wave.map { $0 * amplitude }
    }
}

/// Measures parts that follow one another, in blocks of an odd length.
private func measure(_ parts: [[[Float]]], channels: Int = 2) -> AudioLoudness {
    var meter = LoudnessMeter(channels: channels)
    for part in parts {
        for start in stride(from: 0, to: part[0].count, by: 1111) {
            meter.add(part.map { $0[start..<min(start + 1111, part[0].count)] })
        }
    }
    return meter.loudness
}

/// Loudness and true peak of the signals of EBU Tech 3341, shortened where only proportions matter.
@Suite struct LoudnessMeterTests {
    @Test(arguments: [-23.0, -33.0])
    func aSineOnBothChannelsHasItsLevel(level: Double) throws {
        let integrated = try #require(measure([tone([level, level], seconds: 3)]).integrated)
        #expect(abs(integrated - level) <= 0.1)
    }

    @Test func aSineOnOneChannelIsThreeDecibelsLower() throws {
        let sine = tone([-20], seconds: 2, frequency: 997)
        let mono = try #require(measure([sine], channels: 1).integrated)
        let left = try #require(measure([[sine[0], sine[0].map { _ in 0 }]]).integrated)
        #expect(abs(mono + 23.01) <= 0.1 && left == mono)
    }

    @Test func quietPartsAreGatedByTheLevelOfTheRest() throws {
        let (quiet, loud) = (tone([-36, -36], seconds: 2), tone([-23, -23], seconds: 30))
        let nearlySilent = tone([-72, -72], seconds: 2)
        for parts in [[quiet, loud, quiet], [nearlySilent, quiet, loud, quiet, nearlySilent]] {
            #expect(abs(try #require(measure(parts).integrated) + 23) <= 0.1)
        }
    }

    @Test func partsWithinTheGateAreAveraged() throws {
        let parts = [tone([-26, -26], seconds: 8), tone([-20, -20], seconds: 8.04), tone([-26, -26], seconds: 8)]
        #expect(abs(try #require(measure(parts).integrated) + 23) <= 0.1)
    }

    @Test func surroundChannelsCountMoreAndTheLowFrequencyChannelNothing() throws {
        let levels = [-28.0, -28, -24, 0, -30, -30]
        var channels = tone(levels, seconds: 3)
        #expect(abs(try #require(measure([channels], channels: 6).integrated) + 23) <= 0.1)
        channels[3] = channels[3].map { _ in 0 }
        #expect(abs(try #require(measure([channels], channels: 6).integrated) + 23) <= 0.1)
    }

    @Test func silenceHasNeitherLoudnessNorPeak() {
        let silence = [[Float](repeating: 0, count: 48_000), [Float](repeating: 0, count: 48_000)]
        #expect(measure([silence]) == AudioLoudness(integrated: nil, truePeak: nil))
        #expect(measure([]) == AudioLoudness(integrated: nil, truePeak: nil))
        // Too quiet for the gate, but not silent.
        #expect(measure([tone([-80, -80], seconds: 1)]).integrated == nil)
    }

    /// Tech 3341, cases 15 to 19: the peak lies between samples, within +0.2 and -0.4 dB.
    @Test(arguments: [(4.0, 0.0), (4.0, 45.0), (6.0, 60.0), (8.0, 67.5)])
    func peaksBetweenSamplesAreFound(part: Double, degrees: Double) throws {
        let level = 20 * log10(0.5)
        var sine = tone([level, level], seconds: 0.5, frequency: 48_000 / part, phase: degrees * .pi / 180)
        // A sudden start has a higher peak.
        for index in 0..<480 { for channel in 0..<2 { sine[channel][index] *= Float(index) / 480 } }
        let peak = try #require(measure([sine]).truePeak)
        #expect(peak <= level + 0.2 && peak >= level - 0.4)
    }

    @Test func theGainReachesTheTargetOrTheHighestPeak() {
        #expect(AudioLoudness(integrated: -23, truePeak: -10).gain(to: -16) == 7)
        #expect(AudioLoudness(integrated: -23, truePeak: -3).gain(to: -16) == 2)
        #expect(AudioLoudness(integrated: -10, truePeak: 1).gain(to: -16) == -6)
        #expect(AudioLoudness(integrated: -17, truePeak: 2).gain(to: -16) == -3)
        #expect(AudioLoudness(integrated: nil, truePeak: -80).gain(to: -16) == 0)
    }
}

@Suite struct PeakLimiterTests {
    /// Limits a signal in blocks, and checks that each block keeps its length and its place.
    private static func limit(_ channels: [[Float]], block: Int = 1024) -> [[Float]] {
        var limiter = PeakLimiter<Int>(channels: channels.count)
        var output = channels.map { _ in [Float]() }
        func take(_ blocks: [PeakLimiter<Int>.Block]) {
            for block in blocks {
                #expect(block.tag == output[0].count)
                for index in output.indices { output[index] += block.channels[index] }
            }
        }
        for start in stride(from: 0, to: channels[0].count, by: block) {
            limiter.add(channels.map { Array($0[start..<min(start + block, $0.count)]) }, as: start)
            take(limiter.take())
        }
        take(limiter.finish())
        #expect(output.map(\.count) == channels.map(\.count))
        return output
    }

    @Test func audioBelowTheLimitIsUnchanged() {
        let quiet = tone([-1.2, -6], seconds: 0.5)
        #expect(Self.limit(quiet) == quiet)
    }

    @Test(arguments: [64, 1024, 5000])
    func loudAudioStaysBelowTheLimit(block: Int) throws {
        // From the start, in bursts, and with a single sample that is louder still.
        var loud = tone([6, -3], seconds: 0.3, frequency: 440)
        for index in 4000..<8000 { loud[0][index] *= 0.05 }
        loud[1][10_000] = 3
        let limited = Self.limit(loud, block: block)
        let peak = try #require(measure([limited]).truePeak)
        #expect(peak <= -0.9 && peak >= -1.5)
        // All channels have the same gain, so the image does not move.
        #expect(zip(loud[0], limited[0]).allSatisfy { abs($1) <= abs($0) + 1e-6 })
    }

    @Test func theGainReturnsAfterAPeak() {
        var samples = tone([-20], seconds: 1.5)
        samples[0][4800] = 4
        let limited = Self.limit(samples)
        #expect(abs(limited[0][4801]) < abs(samples[0][4801]) * 0.5)
        #expect(limited[0].suffix(4800) == samples[0].suffix(4800))
        #expect(limited[0].prefix(4000) == samples[0].prefix(4000))
    }

    @Test func samplesThatAreNotNumbersSpoilOnlyTheirSurroundings() {
        var samples = tone([-20], seconds: 1.5)
        samples[0][100] = .nan
        samples[0][4800] = .infinity
        let limited = Self.limit(samples)
        #expect(limited[0].suffix(4800).allSatisfy { $0.isFinite })
        #expect(limited[0].suffix(4800) == samples[0].suffix(4800))
    }
}
