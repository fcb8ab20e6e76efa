import ClairoCore
import ClairoTestSupport
import Foundation
import Libav
import Testing

@testable import ClairoMedia

/// Grey frames as H.264 in Clairo's segments: 50 frames at 24000/1001 in two segments of one GOP and a shorter last
/// one.
struct GreyTrack {
    static let grid = SegmentGrid(frameRate: Rational(24000, 1001), frameCount: 50, segmentSeconds: 1)
    static let size = FrameSize(width: 64, height: 48)
    let description: TrackDescription
    let reorderDelay: Int
    /// In decoding order.
    let samples: [TimedSample]

    init() throws {
        let grey = (0..<Self.grid.frameCount).map { UInt8(20 + $0 * 4) }
        let file = MemoryMedia.gif(width: Self.size.width, height: Self.size.height, grey: grey)
        let demuxer = try Demuxer(
            SourceBytes(MemorySource(file)), options: DemuxerOptions(formatWhitelist: "gif", codecWhitelist: "gif"))
        let decoder = try demuxer.makeDecoder(stream: 0)
        var graph: FilterGraph?
        var encoder: Encoder?
        var samples: [TimedSample] = []
        func collect() throws {
            while case .value(let packet) = try encoder?.receive() {
                samples.append(
                    TimedSample(
                        data: H264.sample(from: H264.nalUnits(annexB: packet.data)), frame: Int(packet.pts),
                        isSync: packet.isKey))
            }
        }
        var count: Int64 = 0
        while let packet = try demuxer.read() {
            try decoder.send(packet)
            while case .value(let frame) = try decoder.receive() {
                graph =
                    try graph
                    ?? FilterGraph(
                        video: "[in]scale=out_range=tv,format=yuv420p,setsar=1[out0]", like: frame,
                        timeBase: Ratio(1, 100), outputs: 1)
                try graph?.push(frame)
                guard case .value(let filtered) = try graph?.pull() else { continue }
                encoder =
                    try encoder
                    ?? Encoder(
                        video: VideoEncoderSettings(
                            encoder: "libx264", width: Self.size.width, height: Self.size.height,
                            frameRate: Ratio(24000, 1001), gopFrames: Self.grid.gopFrames,
                            options: [("crf", "10"), ("x264-params", "scenecut=0:open-gop=0")]), first: filtered)
                try encoder?.send(filtered, pts: count)
                count += 1
                try collect()
            }
        }
        try encoder?.send(nil)
        try collect()
        let opened = try #require(encoder)
        reorderDelay = opened.reorderDelay
        description = TrackDescription(
            media: .video(
                .init(
                    codec: .h264, size: Self.size,
                    configuration: try #require(H264.configuration(extradata: opened.extradata)),
                    color: .unspecified)),
            timescale: Self.grid.timescale, language: "und", priming: Int64(reorderDelay) * Self.grid.ticksPerFrame)
        self.samples = samples
    }

    /// The samples of one segment, which are contiguous because GOPs are closed.
    func samples(ofSegment index: Int) -> [TimedSample] {
        samples.filter { Self.grid.frames(ofSegment: index).contains($0.frame) }
    }

    func segment(_ index: Int, samples: [TimedSample]? = nil) throws -> Data {
        try VideoSegment.bytes(
            samples ?? self.samples(ofSegment: index), segment: index, grid: Self.grid, delay: reorderDelay,
            name: "48p")
    }

    /// The frames that libav decodes from an init segment and these segments.
    func frames(of segments: [Data], threads: Int32 = 1) throws -> (frames: [Frame], errors: Int) {
        let data = segments.reduce(FragmentWriter.initSegment(description), +)
        let demuxer = try Demuxer(
            SourceBytes(MemorySource(data)),
            options: DemuxerOptions(formatWhitelist: "mov,mp4,m4a,3gp,3g2,mj2", codecWhitelist: "h264"))
        let decoder = try demuxer.makeDecoder(stream: 0, threads: threads)
        var frames: [Frame] = []
        var isAtEnd = false
        while !isAtEnd {
            let packet = try demuxer.read()
            isAtEnd = packet == nil
            try decoder.send(packet)
            while case .value(let frame) = try decoder.receive() { frames.append(frame) }
        }
        return (frames, decoder.errorCount)
    }
}

@Suite struct VideoSegmentTests {
    @Test func aPlayerShowsEveryFrameAtItsTimeOnTheGrid() throws {
        let track = try GreyTrack()
        #expect(track.reorderDelay > 0)
        let segments = try (0..<2).map { try track.segment($0) }
        let (frames, errors) = try track.frames(of: segments)
        #expect(errors == 0)
        #expect(frames.map(\.pts) == (0..<50).map { Int64($0) * 1001 })
        #expect(frames.enumerated().filter(\.element.isKey).map(\.offset) == [0, 48])
        // Each frame is slightly lighter than the one before.
        let luma = frames.compactMap { $0.withRow(plane: 0, row: 20, width: 64) { $0[20] } }
        #expect(zip(luma, luma.dropFirst()).allSatisfy { $0 < $1 })
    }

    @Test func aSegmentBeginsAtItsFirstFrameAndHasOneFragmentPerGOP() throws {
        let track = try GreyTrack()
        for index in 0..<2 {
            let fragments = try FragmentReader.fragments(of: track.segment(index))
            let frames = GreyTrack.grid.frames(ofSegment: index)
            #expect(fragments.map(\.decodeTime) == [Int64(frames.lowerBound) * 1001])
            #expect(fragments.map(\.samples.count) == [frames.count])
            #expect(fragments[0].samples.map(\.isSync) == frames.map { $0 == frames.lowerBound })
            #expect(fragments[0].samples.allSatisfy { $0.compositionOffset >= 0 && $0.duration == 1001 })
        }
    }

    @Test func samplesThatDoNotFillTheSegmentAreADefect() throws {
        let track = try GreyTrack()
        let first = track.samples(ofSegment: 0)
        var late = first
        late[0].isSync = false
        var outside = first
        outside[5].frame = 48
        var early = first
        early[47].frame = 0
        for samples in [[], Array(first.dropLast()), first + first.suffix(1), late, outside, early] {
            #expect(throws: ClairoError.self) { try track.segment(0, samples: samples) }
        }
    }

    /// Damage affects only the damaged frame, for any number of decoding threads.
    @Test(arguments: [1, 2, 4] as [Int32])
    func framesAfterDamageAreDecodedToTheEnd(threads: Int32) throws {
        let track = try GreyTrack()
        var samples = track.samples(ofSegment: 0)
        // A unit of unknown type: the decoder reports that it contains no frame.
        for index in [44, 46] { samples[index].data = Data(hex: "00000002 1f00") }
        let (frames, errors) = try track.frames(of: [track.segment(0, samples: samples)], threads: threads)
        #expect(errors >= 2)
        #expect(frames.count == 46)
    }
}
