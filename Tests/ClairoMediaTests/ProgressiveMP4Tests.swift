import ClairoCore
import ClairoTestSupport
import Foundation
import Libav
import Testing

@testable import ClairoMedia

/// Slightly more than one second of a tone as AAC access units, from the encoder that the product uses.
struct ToneTrack {
    let configuration: Data
    let packets: [Data]
    static let sampleCount = 50_000

    init() throws {
        let encoder = try Encoder(audio: "aac", channels: 2, sampleRate: 48_000, bitRate: 128_000)
        var packets: [Data] = []
        func collect() throws {
            while case .value(let packet) = try encoder.receive() { packets.append(packet.data) }
        }
        for start in stride(from: 0, to: Self.sampleCount, by: 1024) {
            let wave = (start..<start + 1024).map { $0 < Self.sampleCount ? Float(sin(Double($0) / 20)) / 2 : 0 }
            try encoder.send(
                Frame.audio(channels: [wave[...], wave[...]], sampleRate: 48_000, pts: 0), pts: Int64(start))
            try collect()
        }
        try encoder.send(nil)
        try collect()
        configuration = encoder.extradata
        self.packets = packets
    }

    var description: TrackDescription {
        TrackDescription(
            media: .audio(
                .init(
                    codec: .aac, channels: 2, sampleRate: 48_000, configuration: configuration, bitRate: 128_000)),
            timescale: 48_000, language: "eng", priming: 1024)
    }

    /// Two segments in the format of the engine.
    var segments: [Data] {
        let samples = packets.map { Sample(data: $0, duration: 1024, compositionOffset: 0, isSync: true) }
        return [0..<24, 24..<samples.count].enumerated().map { index, range in
            FragmentWriter.segment(
                fragments: [Array(samples[range])], firstSequence: index + 1, decodeTime: Int64(range.lowerBound * 1024)
            )
        }
    }
}

@Suite struct ProgressiveMP4Tests {
    private let store = MemoryStore()

    /// Writes segments of a track and describes them as the packager does.
    private func track(
        _ description: TrackDescription, folder: String, segments: [Data], duration: Int64
    ) throws -> ProgressiveMP4.Track {
        var chunks: [ProgressiveMP4.Chunk] = []
        for (index, data) in segments.enumerated() {
            let key = ObjectKey("\(folder)/\(index).m4s")
            try store.put(data, at: key)
            chunks += try FragmentReader.fragments(of: data).map {
                ProgressiveMP4.Chunk(
                    segment: key, samples: $0.samples, time: Double($0.decodeTime) / Double(description.timescale))
            }
        }
        return ProgressiveMP4.Track(description: description, duration: duration, chunks: chunks)
    }

    /// Video with distinguishable samples that are not coded frames: 2 segments of 2 GOPs of 3 frames.
    private func videoTrack() throws -> (track: ProgressiveMP4.Track, samples: [Sample]) {
        let samples = (0..<12).map { index in
            Sample(
                data: Data(repeating: UInt8(index), count: 10 + index), duration: 1001,
                compositionOffset: index % 3 == 1 ? 3003 : 1001, isSync: index % 3 == 0)
        }
        let gops = stride(from: 0, to: 12, by: 3).map { Array(samples[$0..<$0 + 3]) }
        let segments = [0, 2].map {
            FragmentWriter.segment(
                fragments: Array(gops[$0..<$0 + 2]), firstSequence: $0 + 1, decodeTime: Int64($0 * 3003)
            )
        }
        let description = InitSegmentTests.video(priming: 1001)
        return (try track(description, folder: "video", segments: segments, duration: 12_012), samples)
    }

    /// Writes the file and checks that the observed bytes are the stored ones.
    private func write(_ tracks: [ProgressiveMP4.Track]) throws -> Data {
        var observed = Data()
        try ProgressiveMP4(tracks: tracks).write(to: "out.mp4", in: store) { observed.append($0) }
        let file = try store.get("out.mp4")
        #expect(observed == file)
        return file
    }

    /// The samples of a track as described by its tables.
    private func samples(of table: Boxes, in file: Data) throws -> [Data] {
        let stsc = try #require(table.payload("stsc"))
        let stsz = try #require(table.payload("stsz"))
        let stco = try #require(table.payload("stco"))
        let runs = (0..<stsc.integer(at: 4, 4)).map {
            (first: stsc.integer(at: 8 + $0 * 12, 4), count: stsc.integer(at: 12 + $0 * 12, 4))
        }
        var sizes = (0..<stsz.integer(at: 8, 4)).map { stsz.integer(at: 12 + $0 * 4, 4) }[...]
        var samples: [Data] = []
        for chunk in 0..<stco.integer(at: 4, 4) {
            var offset = stco.integer(at: 8 + chunk * 4, 4)
            for _ in 0..<(runs.last { $0.first <= chunk + 1 }?.count ?? 0) {
                let size = sizes.removeFirst()
                samples.append(file.subdata(in: offset..<offset + size))
                offset += size
            }
        }
        #expect(sizes.isEmpty)
        return samples
    }

    @Test func theIndexPrecedesTheSamples() throws {
        #expect(Boxes(data: try write([videoTrack().track])).names == ["ftyp", "moov", "mdat"])
    }

    @Test func tablesLocateEverySampleOfBothTracks() throws {
        let tone = try ToneTrack()
        let (video, videoSamples) = try videoTrack()
        let audio = try track(
            tone.description, folder: "audio", segments: tone.segments, duration: Int64(ToneTrack.sampleCount))
        let file = try write([video, audio])
        let boxes = Boxes(data: file)
        for (index, expected) in [videoSamples.map(\.data), tone.packets].enumerated() {
            let table = try #require(boxes.payload("moov/trak", index).map { Boxes(data: $0) })
            let stbl = try #require(table.payload("mdia/minf/stbl"))
            #expect(try samples(of: Boxes(data: stbl), in: file) == expected)
        }
        #expect(boxes.payload("mdat")?.count == (videoSamples.map(\.data) + tone.packets).reduce(0) { $0 + $1.count })
    }

    @Test func timesAndKeyFramesMatchTheFragments() throws {
        let table = "moov/trak/mdia/minf/stbl"
        let boxes = Boxes(data: try write([videoTrack().track]))
        #expect(boxes.payload("\(table)/stts") == Data(hex: "00000000 00000001 0000000c 000003e9"))
        #expect(boxes.payload("\(table)/stss") == Data(hex: "00000000 00000004 00000001 00000004 00000007 0000000a"))
        let ctts = try #require(boxes.payload("\(table)/ctts"))
        #expect(ctts.prefix(32) == Data(hex: "00000000 00000009 00000001 000003e9 00000001 00000bbb 00000002 000003e9"))
        #expect(boxes.payload("moov/trak/mdia/mdhd")?.integer(at: 24, 8) == 12_012)
        // Half a second in the movie's time scale of 90 kHz, without the delay that the edit list removes.
        #expect(boxes.payload("moov/mvhd")?.integer(at: 24, 8) == 45_045)
        #expect(
            boxes.payload("moov/trak/edts/elst")?.suffix(20)
                == Data(hex: "00000000 0000aff5 00000000 000003e9 00010000"))
    }

    @Test func audioHasNoUnnecessaryTables() throws {
        let tone = try ToneTrack()
        let boxes = Boxes(data: try write([track(tone.description, folder: "a", segments: tone.segments, duration: 1)]))
        #expect(boxes.payload("moov/trak/mdia/minf/stbl/stss") == nil)
        #expect(boxes.payload("moov/trak/mdia/minf/stbl/ctts") == nil)
    }

    @Test func tracksAreInterleavedByTime() throws {
        let tone = try ToneTrack()
        let audio = try track(tone.description, folder: "audio", segments: tone.segments, duration: 50_000)
        let boxes = Boxes(data: try write([videoTrack().track, audio]))
        let offsets = try (0..<2).map { index in
            let trak = try #require(boxes.payload("moov/trak", index))
            let stco = try #require(Boxes(data: trak).payload("mdia/minf/stbl/stco"))
            return (0..<stco.integer(at: 4, 4)).map { stco.integer(at: 8 + $0 * 4, 4) }
        }
        // Frames at 0, 0.125, 0.25 and 0.375 s; audio at 0 and 0.512 s.
        let order = (offsets[0].map { ($0, "v") } + offsets[1].map { ($0, "a") }).sorted { $0.0 < $1.0 }.map(\.1)
        #expect(order == ["v", "a", "v", "v", "v", "a"])
    }

    /// A file of 5 GB of which only the index is looked at.
    @Test func offsetsBeyondFourGigabytesHaveSixtyFourBits() throws {
        let description = InitSegmentTests.video(priming: 0)
        let chunks = (0..<5).map { index in
            ProgressiveMP4.Chunk(
                segment: "none",
                samples: [
                    FragmentReader.Entry(
                        offset: 0, size: 1_000_000_000, duration: 1001, compositionOffset: 0, isSync: true)
                ], time: Double(index))
        }
        var header = Data()
        // The samples do not exist, so writing stops after the index.
        #expect(throws: ClairoError.self) {
            try ProgressiveMP4(
                tracks: [ProgressiveMP4.Track(description: description, duration: 5005, chunks: chunks)]
            ).write(to: "large.mp4", in: store) { header.append($0) }
        }
        let boxes = Boxes(data: header)
        #expect(boxes.payload("moov/trak/mdia/minf/stbl/stco") == nil)
        let co64 = try #require(boxes.payload("moov/trak/mdia/minf/stbl/co64"))
        #expect((0..<5).map { co64.integer(at: 8 + $0 * 8, 8) } == (0..<5).map { header.count + $0 * 1_000_000_000 })
        // The size of `mdat` does not fit into 32 bits either.
        #expect(header.suffix(16) == Data(hex: "00000001 6d646174 00000001 2a05f210"))
    }

    @Test func aSegmentThatShrankIsAnErrorAndWritesNoFile() throws {
        let (track, _) = try videoTrack()
        try store.put(try store.get("video/1.m4s").dropLast(1), at: "video/1.m4s")
        #expect(throws: ClairoError.self) { try write([track]) }
        #expect(try store.size(of: "out.mp4") == nil)
    }
}

/// What libav reads from the written files.
@Suite struct ReopenedTrackTests {
    private static let options = DemuxerOptions(formatWhitelist: "mov,mp4,m4a,3gp,3g2,mj2", codecWhitelist: "aac")

    private static func expectTone(_ data: Data, tone: ToneTrack) throws {
        let demuxer = try Demuxer(SourceBytes(MemorySource(data)), options: options)
        let stream = try #require(demuxer.streams.first)
        #expect(demuxer.streams.count == 1)
        #expect(stream.codecName == "aac")
        #expect(stream.channels == 2)
        #expect(stream.sampleRate == 48_000)
        #expect(stream.language == "eng")
        #expect(stream.extradata == Array(tone.configuration))
        var packets: [Data] = []
        var times: [Int64] = []
        while let packet = try demuxer.read() {
            packets.append(packet.data)
            times.append(packet.pts ?? .min)
        }
        #expect(packets == tone.packets)
        // The edit list places sample 0 at time 0; the priming unit precedes it.
        #expect(times == packets.indices.map { Int64($0 - 1) * 1024 })
    }

    @Test func libavReadsTheFragmentsAsWritten() throws {
        let tone = try ToneTrack()
        let data = tone.segments.reduce(FragmentWriter.initSegment(tone.description), +)
        try Self.expectTone(data, tone: tone)
    }

    @Test func libavReadsTheProgressiveFileAsWritten() throws {
        let tone = try ToneTrack()
        let store = MemoryStore()
        var chunks: [ProgressiveMP4.Chunk] = []
        for (index, data) in tone.segments.enumerated() {
            let key = ObjectKey("\(index).m4s")
            try store.put(data, at: key)
            chunks += try FragmentReader.fragments(of: data).map {
                ProgressiveMP4.Chunk(segment: key, samples: $0.samples, time: Double($0.decodeTime) / 48_000)
            }
        }
        let track = ProgressiveMP4.Track(
            description: tone.description, duration: Int64(ToneTrack.sampleCount), chunks: chunks)
        try ProgressiveMP4(tracks: [track]).write(to: "tone.mp4", in: store) { _ in }
        try Self.expectTone(try store.get("tone.mp4"), tone: tone)
    }
}
