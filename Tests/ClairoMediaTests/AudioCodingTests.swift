import ClairoCore
import ClairoTestSupport
import Foundation
import Libav
import Testing

@testable import ClairoMedia

/// Encoders, configuration boxes and codec strings of all audio codecs.
@Suite struct AudioCodingTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var format: AudioFormat
        var channels: Int
        var bitRate: Int64
        var entry: String
        var box: String
        /// In hexadecimal.
        var configuration: String
        var codec: String
        var testDescription: String { "\(format.rawValue) with \(channels) channels" }

        var plan: AudioPlan {
            AudioPlan(
                format: format, streamIndex: 0, language: "eng", title: nil, channels: channels, bitRate: bitRate,
                sampleCount: 48_000, segmentBoundaries: [])
        }
    }

    /// The configurations are those that ffmpeg writes for the same encoders.
    static let cases = [
        Case(
            format: .aac, channels: 2, bitRate: 128_000, entry: "mp4a", box: "esds", configuration: "119056e500",
            codec: "mp4a.40.2"),
        Case(
            format: .aac51, channels: 6, bitRate: 320_000, entry: "mp4a", box: "esds", configuration: "11b056e500",
            codec: "mp4a.40.2"),
        Case(
            format: .ac351, channels: 6, bitRate: 448_000, entry: "ac-3", box: "dac3", configuration: "103de0",
            codec: "ac-3"),
        Case(
            format: .eac351, channels: 6, bitRate: 384_000, entry: "ec-3", box: "dec3", configuration: "0c00200f00",
            codec: "ec-3"),
        Case(
            format: .opus, channels: 2, bitRate: 96_000, entry: "Opus", box: "dOps",
            configuration: "000201380000bb80000000", codec: "opus"),
        Case(
            format: .opus, channels: 1, bitRate: 48_000, entry: "Opus", box: "dOps",
            configuration: "000101380000bb80000000", codec: "opus"),
    ]

    @Test(arguments: cases)
    func theInitSegmentDescribesTheEncoder(sample: Case) throws {
        let plan = sample.plan
        let encoder = try plan.codec.coding.openEncoder(plan)
        #expect(encoder.frameSize == plan.frameSamples && encoder.initialPadding == plan.priming)
        let segment = plan.codec.coding.initSegment(of: encoder, plan)
        let configuration = try InitSegment.configuration(of: segment, codec: plan.codec)
        #expect(configuration == Data(hex: sample.configuration))
        #expect(plan.codec.coding.codecString(configuration: configuration) == sample.codec)
        #expect(InitSegment.priming(of: segment) == Int64(plan.priming))
        // After version and entry count comes the sample entry: 28 bytes of fields, then boxes.
        let description = try #require(Boxes(data: segment).payload("moov/trak/mdia/minf/stbl/stsd"))
        let entry = try #require(Boxes(data: description.subdata(in: 8..<description.count)).payload(sample.entry))
        #expect(entry.integer(at: 16, 2) == sample.channels && entry.integer(at: 24, 2) == 48_000)
        let inner = Boxes(data: entry.subdata(in: 28..<entry.count))
        #expect(inner.names == [sample.box, "btrt"])
        #expect(inner.payload("btrt")?.integer(at: 4, 4) == Int(sample.bitRate))
    }

    @Test(arguments: cases)
    func otherCodecsFindNoConfiguration(sample: Case) throws {
        let plan = sample.plan
        let segment = plan.codec.coding.initSegment(of: try plan.codec.coding.openEncoder(plan), plan)
        for codec in AudioCodec.allCases where codec != plan.codec {
            #expect(codec.coding.configuration(initSegment: segment) == nil, "\(codec)")
        }
        for codec in AudioCodec.allCases { #expect(codec.coding.codecString(configuration: Data()) == nil) }
    }

    /// The packets of a plan hold its priming and all of its samples: an impulse comes out where it went in.
    @Test(arguments: cases, [47_000, 48_000, 46_080])
    func aPlansPacketsHoldAllSamples(sample: Case, count: Int) throws {
        var plan = sample.plan
        plan.sampleCount = count
        let encoder = try plan.codec.coding.openEncoder(plan)
        let impulse = count - 500
        let channel = (0..<count).map { Float($0 == impulse ? 0.9 : 0) }
        var packets: [Data] = []
        func send(_ range: Range<Int>) throws {
            let part = (range).map { $0 < count ? channel[$0] : 0 }
            let frame = try Frame.audio(
                channels: Array(repeating: part[...], count: plan.channels), sampleRate: AudioPlan.sampleRate,
                pts: Int64(range.lowerBound), isInterleaved: encoder.isInterleaved)
            try encoder.send(frame, pts: Int64(range.lowerBound))
            while case .value(let packet) = try encoder.receive() { packets.append(packet.data) }
        }
        var start = 0
        while start < count || !encoder.hasDelay && start < plan.packetCount * plan.frameSamples {
            try send(start..<start + plan.frameSamples)
            start += plan.frameSamples
        }
        try encoder.send(nil)
        while case .value(let packet) = try encoder.receive() { packets.append(packet.data) }
        #expect(packets.count >= plan.packetCount && packets.count <= plan.packetCount + 1)

        let samples = packets.prefix(plan.packetCount).map {
            Sample(data: $0, duration: UInt32(plan.frameSamples), compositionOffset: 0, isSync: true)
        }
        let file =
            plan.codec.coding.initSegment(of: encoder, plan)
            + FragmentWriter.segment(fragments: [samples], firstSequence: 1, decodeTime: 0)
        let demuxer = try Demuxer(InMemoryBytes(file), options: InputLimits().demuxerOptions)
        let decoder = try demuxer.makeDecoder(stream: 0, keepsPadding: true)
        var decoded: [Float] = []
        var first: Int64?
        func receive() throws {
            while case .value(let frame) = try decoder.receive() {
                first = first ?? frame.pts
                _ = frame.withSamples(channel: 0) { decoded += $0 }
            }
        }
        while let packet = try demuxer.read() {
            try decoder.send(packet)
            try receive()
        }
        try decoder.send(nil)
        try receive()
        #expect(first == Int64(-plan.priming))
        #expect(decoded.count >= plan.priming + count)
        let loudest = try #require(decoded.indices.max { abs(decoded[$0]) < abs(decoded[$1]) })
        #expect(abs(loudest - plan.priming - impulse) <= 1)
        #expect(decoder.errorCount == 0)
    }

    @Test func bitsAreWrittenFromTheTop() {
        var bits = BitWriter()
        bits.write(0b101, 3)
        bits.write(0, 4)
        bits.write(0x1FF, 9)
        #expect(bits.data == Data([0b1010_0001, 0xFF]))
    }
}
