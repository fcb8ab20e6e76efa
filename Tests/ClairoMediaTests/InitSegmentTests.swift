import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

@testable import ClairoMedia

/// Finds boxes by path, independently of the reader under test.
struct Boxes {
    let data: Data

    /// The payload of the `index`-th box at a path such as `moov/trak/mdia`.
    func payload(_ path: String, _ index: Int = 0) -> Data? {
        var found = [data]
        for type in path.split(separator: "/") {
            found = found.flatMap { Self.children($0).filter { $0.type == type }.map(\.payload) }
        }
        return found.indices.contains(index) ? found[index] : nil
    }

    /// Names of the boxes at the top.
    var names: [String] { Self.children(data).map(\.type) }

    static func children(_ data: Data) -> [(type: String, offset: Int, payload: Data)] {
        var children: [(String, Int, Data)] = []
        var position = 0
        while position + 8 <= data.count {
            let size = data.integer(at: position, 4)
            guard size >= 8, position + size <= data.count else { break }
            let name = String(decoding: data.subdata(in: position + 4..<position + 8), as: UTF8.self)
            children.append((name, position, data.subdata(in: position + 8..<position + size)))
            position += size
        }
        return children
    }
}

extension Data {
    /// A big-endian integer of `count` bytes.
    func integer(at offset: Int, _ count: Int) -> Int {
        subdata(in: startIndex + offset..<startIndex + offset + count).reduce(0) { $0 << 8 | Int($1) }
    }
}

@Suite struct InitSegmentTests {
    static func video(
        priming: Int64 = 2002, color: ColorDescription = .unspecified, language: String = "und"
    ) -> TrackDescription {
        TrackDescription(
            media: .video(
                .init(
                    codec: .h264, size: FrameSize(width: 1280, height: 720),
                    configuration: H264.configuration(sps: [H264Tests.sps], pps: [H264Tests.pps]) ?? Data(),
                    color: color, bitRate: BitRateBox(bufferSize: 4_000_000, maximum: 3_000_000, average: 0))),
            timescale: 24000, language: language, priming: priming)
    }

    static func audio(channels: Int = 2, priming: Int64 = 1024, language: String = "eng") -> TrackDescription {
        TrackDescription(
            media: .audio(
                .init(
                    codec: .aac, channels: channels, sampleRate: 48_000,
                    configuration: Data(hex: channels == 2 ? "1190" : "1188"), bitRate: 128_000)),
            timescale: 48_000, language: language, priming: priming)
    }

    @Test func videoConfigurationIsReadBack() throws {
        let segment = FragmentWriter.initSegment(Self.video())
        let configuration = try InitSegment.configuration(of: segment, codec: .h264 as VideoCodec)
        #expect(configuration == H264.configuration(sps: [H264Tests.sps], pps: [H264Tests.pps]))
        #expect(H264.codecString(configuration: configuration) == "avc1.64001f")
        #expect(InitSegment.priming(of: segment) == 2002)
    }

    @Test func audioConfigurationIsReadBack() throws {
        let segment = FragmentWriter.initSegment(Self.audio())
        let configuration = try InitSegment.configuration(of: segment, codec: .aac as AudioCodec)
        #expect(configuration == Data(hex: "1190"))
        #expect(AAC.codecString(configuration: configuration) == "mp4a.40.2")
        #expect(InitSegment.priming(of: segment) == 1024)
    }

    @Test func trackWithoutPrimingHasNoEditList() {
        let segment = FragmentWriter.initSegment(Self.video(priming: 0))
        #expect(Boxes(data: segment).payload("moov/trak/edts") == nil)
        #expect(InitSegment.priming(of: segment) == 0)
    }

    @Test func theMovieIsFragmentedAndHasOneTrackWithoutSamples() throws {
        let boxes = Boxes(data: FragmentWriter.initSegment(Self.video()))
        #expect(boxes.names == ["ftyp", "moov"])
        #expect(boxes.payload("ftyp") == Data("iso6\0\0\0\0iso6cmfcmp41".utf8))
        #expect(boxes.payload("moov/trak", 1) == nil)
        #expect(boxes.payload("moov/mvex/trex") == Data(hex: "00000000 00000001 00000001 00000000 00000000 00000000"))
        let table = "moov/trak/mdia/minf/stbl"
        #expect(boxes.payload("\(table)/stts") == Data(count: 8))
        #expect(boxes.payload("\(table)/stsz") == Data(count: 12))
        let header = try #require(boxes.payload("moov/trak/tkhd"))
        #expect(header.suffix(8) == Data(hex: "05000000 02d00000"))
        let media = try #require(boxes.payload("moov/trak/mdia/mdhd"))
        #expect(media.integer(at: 20, 4) == 24000)
    }

    @Test(arguments: [("eng", 0x15C7), ("und", 0x55C4), ("deu", 0x10B5), ("en", 0x55C4), ("", 0x55C4), ("ENG", 0x15C7)])
    func languageIsPackedIntoFiveBitLetters(language: String, code: Int) throws {
        let boxes = Boxes(data: FragmentWriter.initSegment(Self.audio(language: language)))
        let media = try #require(boxes.payload("moov/trak/mdia/mdhd"))
        #expect(media.integer(at: 32, 2) == code)
    }

    @Test func colourIsWrittenIfKnownAndPixelsAreSquare() throws {
        let known = ColorDescription(primaries: 9, transfer: 16, matrix: 9, isFullRange: true)
        for (color, box) in [(ColorDescription.unspecified, nil), (known, Data(hex: "6e636c78 0009 0010 0009 80"))] {
            let boxes = Boxes(data: FragmentWriter.initSegment(Self.video(color: color)))
            let description = try #require(boxes.payload("moov/trak/mdia/minf/stbl/stsd"))
            // After version and entry count comes avc1, with 78 bytes of fields before its boxes.
            let entry = try #require(Boxes(data: description.subdata(in: 8..<description.count)).payload("avc1"))
            #expect(entry.subdata(in: 24..<28) == Data(hex: "0500 02d0"))
            let inner = Boxes(data: entry.subdata(in: 78..<entry.count))
            #expect(inner.payload("colr") == box)
            #expect(inner.payload("pasp") == Data(hex: "00000001 00000001"))
            #expect(inner.payload("btrt") == Data(hex: "0007a120 002dc6c0 00000000"))
        }
    }

    private static func codecString(_ data: Data, isVideo: Bool) throws -> String? {
        isVideo
            ? H264.codecString(configuration: try InitSegment.configuration(of: data, codec: .h264 as VideoCodec))
            : AAC.codecString(configuration: try InitSegment.configuration(of: data, codec: .aac as AudioCodec))
    }

    @Test func invalidBytesHaveNoConfiguration() {
        for data in [Data(), Data("avcC".utf8), Data(hex: "ffffffff 61766343"), Data(hex: "00000008 65736473")] {
            #expect(throws: ClairoError.self) { try Self.codecString(data, isVideo: true) }
            #expect(throws: ClairoError.self) { try Self.codecString(data, isVideo: false) }
            #expect(InitSegment.priming(of: data) == 0)
        }
        #expect(InitSegment.priming(of: Data("elst".utf8)) == 0)
    }

    @Test(arguments: [true, false])
    func damagedInitSegmentsDoNotTrap(isVideo: Bool) {
        var generator = SeededGenerator(seed: 17)
        let original = FragmentWriter.initSegment(isVideo ? Self.video() : Self.audio())
        for _ in 0..<3000 {
            let data = original.mutated(using: &generator)
            _ = try? Self.codecString(data, isVideo: isVideo)
            _ = InitSegment.priming(of: data)
        }
    }
}
