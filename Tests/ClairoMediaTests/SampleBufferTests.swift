import ClairoCore
import Libav
import Testing

@testable import ClairoMedia

@Suite struct SampleBufferTests {
    private static func buffer(of channels: [[Float]]) throws -> SampleBuffer {
        var buffer = SampleBuffer(channels: channels.count)
        let frame = try Frame.audio(channels: channels.map { $0[...] }, sampleRate: 48_000, pts: 0)
        buffer.append(frame, range: 0..<frame.sampleCount)
        return buffer
    }

    @Test func samplesWithinFullScaleAreUnchanged() throws {
        let samples: [Float] = [0, 0.25, -0.25, 1, -1, .leastNonzeroMagnitude]
        var buffer = try Self.buffer(of: [samples])
        #expect(buffer.warning == nil)
        #expect(Array(buffer.take(samples.count)[0]) == samples)
    }

    @Test func samplesBeyondFullScaleAreLimited() throws {
        var buffer = try Self.buffer(of: [[1.5, -1.5, 4, -3.9], [5, -1e30, .greatestFiniteMagnitude, 0.5]])
        #expect(buffer.loudCount == 3 && buffer.nonFiniteCount == 0)
        let taken = buffer.take(4)
        #expect(Array(taken[0]) == [1, -1, 1, -1])
        #expect(Array(taken[1]) == [1, -1, 1, 0.5])
    }

    @Test func samplesThatAreNotNumbersBecomeSilence() throws {
        var buffer = try Self.buffer(of: [[0.5, .nan, .infinity, -.infinity, -.signalingNaN, 0.25]])
        #expect(buffer.nonFiniteCount == 4 && buffer.loudCount == 0)
        #expect(Array(buffer.take(6)[0]) == [0.5, 0, 0, 0, 0, 0.25])
    }

    @Test func theWarningTellsHowManySamplesWereReplaced() throws {
        let warning = try #require(try Self.buffer(of: [[.nan, 10, 10]]).warning)
        #expect(warning.code == .samplesClipped)
        #expect(warning.message.contains("1 audio samples are not numbers"))
        #expect(warning.message.contains("2 audio samples exceed full scale"))
        // Lossy codecs exceed full scale a little.
        #expect(try Self.buffer(of: [[1.2, -1.4]]).warning == nil)
    }

    @Test func onlySamplesThatAreUsedCount() throws {
        var buffer = SampleBuffer(channels: 1)
        let samples: [Float] = [.nan, 0.5, 10]
        let frame = try Frame.audio(channels: [samples[...]], sampleRate: 48_000, pts: 0)
        buffer.append(frame, range: 1..<2)
        #expect(buffer.warning == nil)
        #expect(Array(buffer.take(1)[0]) == [0.5])
    }
}
