import ClairoCore
import ClairoTestSupport
import Foundation
import Libav
import Testing

@testable import ClairoMedia

@Suite struct MatroskaTracksTests {
    /// An element with a size of 8 bytes.
    private static func element(_ id: UInt32, _ content: [UInt8]) -> [UInt8] {
        let bytes = withUnsafeBytes(of: id.bigEndian) { Array($0.drop { $0 == 0 }) }
        let size = withUnsafeBytes(of: UInt64(content.count).bigEndian) { Array($0.dropFirst()) }
        return bytes + [0x01] + size + content
    }

    private static func number(_ id: UInt32, _ value: UInt32) -> [UInt8] {
        element(id, withUnsafeBytes(of: value.bigEndian) { Array($0) })
    }

    private static func track(_ type: UInt32, _ codec: String, _ video: [[UInt8]] = []) -> [UInt8] {
        var content = number(0x83, type) + element(0x86, Array(codec.utf8))
        if !video.isEmpty { content += element(0xE0, video.flatMap { $0 }) }
        return element(0xAE, content)
    }

    private static let cropped = track(
        1, "V_MPEG4/ISO/AVC", [number(0xB0, 640), number(0xBA, 360), number(0x54BB, 40), number(0x54AA, 40)])
    private static let audio = track(2, "A_AAC")

    private static func file(_ segment: [[UInt8]]) -> MemorySource {
        MemorySource(
            Data(element(0x1A45_DFA3, [0x42, 0x82, 0x81, 0x20]) + element(0x1853_8067, segment.flatMap { $0 })))
    }

    private static func tracks(_ entries: [[UInt8]]) -> [UInt8] { element(0x1654_AE6B, entries.flatMap { $0 }) }

    private static let crop = FrameCrop(top: 40, bottom: 40, left: 0, right: 0)

    @Test func readsTheCropOfEachTrack() throws {
        let source = Self.file([
            Self.element(0xEC, [0, 0, 0]), Self.tracks([Self.audio, Self.cropped, Self.track(1, "V_VP9")]),
        ])
        let entries = try MatroskaTracks.entries(in: source)
        #expect(entries.map(\.kind) == [.audio, .video, .video])
        #expect(entries.map(\.picture?.crop) == [nil, Self.crop, nil])
        let pictures = MatroskaTracks.pictures(of: entries, kinds: [.audio, .video, .video, .other])
        #expect(pictures.mapValues(\.crop) == [1: Self.crop])
    }

    @Test func tracksThatLibavSkipsHaveNoStream() throws {
        let tracks = [Self.track(18, "B_VOBBTN"), Self.track(2, "V_WRONG"), Self.cropped, Self.track(17, "S_ASS")]
        let entries = try MatroskaTracks.entries(in: Self.file([Self.tracks(tracks)]))
        #expect(entries.map(\.kind) == [.video, .subtitle])
        #expect(MatroskaTracks.pictures(of: entries, kinds: [.video, .subtitle]).keys.sorted() == [0])
    }

    @Test func nothingIsCroppedIfTheTracksAreNotTheStreams() throws {
        let entries = try MatroskaTracks.entries(in: Self.file([Self.tracks([Self.cropped, Self.audio])]))
        #expect(MatroskaTracks.pictures(of: entries, kinds: [.audio, .video]).isEmpty)
        #expect(MatroskaTracks.pictures(of: entries, kinds: [.video]).isEmpty)
        #expect(MatroskaTracks.pictures(of: entries, kinds: [.video, .audio]).count == 1)
    }

    @Test func theDisplaySizeAppliesToTheCroppedFrame() throws {
        func shape(_ elements: [[UInt8]]) throws -> Rational? {
            let video = [
                Self.number(0xB0, 720), Self.number(0xBA, 576), Self.number(0x54CC, 8), Self.number(0x54DD, 8),
            ]
            let entries = try MatroskaTracks.entries(
                in: Self.file([Self.tracks([Self.track(1, "V_MPEG2", video + elements)])]))
            return try #require(entries.first?.picture).sampleAspectRatio
        }
        #expect(try shape([]) == nil)
        #expect(try shape([Self.number(0x54B0, 1024), Self.number(0x54BA, 576)]) == Rational(1024, 704))
        let ratio = [Self.number(0x54B0, 16), Self.number(0x54BA, 9)]
        #expect(try shape(ratio + [Self.number(0x54B2, 3)]) == Rational(16, 11))
        #expect(try shape(ratio + [Self.number(0x54B2, 4)]) == nil)
    }

    @Test func aCropOfTheWholeFrameIsIgnored() throws {
        let video = [
            Self.number(0xB0, 640), Self.number(0xBA, 360), Self.number(0x54BB, 200), Self.number(0x54AA, 160),
        ]
        let entries = try MatroskaTracks.entries(in: Self.file([Self.tracks([Self.track(1, "V_VP9", video)])]))
        #expect(entries == [MatroskaTracks.Entry(kind: .video, picture: nil)])
    }

    @Test func findsTracksAfterTheFramesThroughTheIndexOfElements() throws {
        let cluster = Self.element(0x1F43_B675, Array(repeating: 0, count: 100))
        func seekHead(_ position: Int) -> [UInt8] {
            Self.element(
                0x114D_9B74,
                Self.element(0x4DBB, Self.number(0x53AB, 0x1654_AE6B) + Self.number(0x53AC, UInt32(position))))
        }
        let position = seekHead(0).count + cluster.count
        let found = Self.file([seekHead(position), cluster, Self.tracks([Self.cropped])])
        #expect(try MatroskaTracks.entries(in: found).count == 1)
        let wrong = Self.file([seekHead(position + 1), cluster, Self.tracks([Self.cropped])])
        #expect(try MatroskaTracks.entries(in: wrong).isEmpty)
    }

    @Test func otherFilesAndCutOnesHaveNoTracks() throws {
        #expect(try MatroskaTracks.entries(in: MemorySource(Data())).isEmpty)
        #expect(try MatroskaTracks.entries(in: MemorySource(Data("RIFF....WAVEfmt ".utf8))).isEmpty)
        let whole = Self.file([Self.tracks([Self.cropped])])
        let bytes = try whole.part(at: 0, count: Int(whole.size))
        for count in 0..<bytes.count {
            #expect(try MatroskaTracks.entries(in: MemorySource(bytes.prefix(count))).isEmpty)
        }
    }

    @Test func garbageDoesNotTrap() throws {
        var generator = SeededGenerator(seed: 31)
        let whole = Self.file([Self.tracks([Self.audio, Self.cropped])])
        let bytes = try whole.part(at: 0, count: Int(whole.size))
        for _ in 0..<2000 {
            _ = try MatroskaTracks.entries(in: MemorySource(bytes.mutated(using: &generator)))
        }
    }
}
