import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

@testable import ClairoMedia

@Suite struct HLSParserTests {
    private static func masterError(_ text: String) -> HLSParseError? {
        do {
            _ = try HLSParser.master(text.utf8)
            return nil
        } catch { return error }
    }

    private static func mediaError(_ text: String) -> HLSParseError? {
        do {
            _ = try HLSParser.media(text.utf8)
            return nil
        } catch { return error }
    }

    @Test func aWrittenMasterPlaylistIsReadBackCompletely() throws {
        let tracks = [
            SamplePresentation.audio(language: "eng"), SamplePresentation.audio(language: "ger", title: "Ton"),
        ]
        let master = try HLSParser.master(Data(HLSPlaylist.master(SamplePresentation.make(audio: tracks)).utf8))
        #expect(master.version == 7)
        #expect(master.hasIndependentSegments)
        #expect(master.media.map(\.language) == ["en", "de"])
        #expect(master.media.map(\.name) == ["English", "Ton"])
        #expect(master.media.map(\.isDefault) == [true, false])
        #expect(master.media.map(\.channels) == ["2", "2"])
        #expect(master.media.map(\.uri) == ["audio/eng-aac-128k/playlist.m3u8", "audio/ger-aac-128k/playlist.m3u8"])
        let first = try #require(master.variants.first)
        #expect(first.uri == "video/720p/playlist.m3u8")
        #expect(first.bandwidth == 2_128_000)
        #expect(first.averageBandwidth == 1_485_143)
        #expect(first.codecs == ["avc1.64001f", "mp4a.40.2"])
        #expect(first.resolution == FrameSize(width: 1280, height: 720))
        #expect(first.frameRate == Rational(23976, 1000))
        #expect(first.videoRange == "SDR")
        #expect(first.audioGroup == "aac")
        #expect(master.iframeStreams.map(\.uri) == ["video/1080p/iframes.m3u8", "video/720p/iframes.m3u8"])
        #expect(master.iframeStreams.map(\.codecs) == [["avc1.640028"], ["avc1.64001f"]])
    }

    @Test func aWrittenMediaPlaylistIsReadBackCompletely() throws {
        let segments = SamplePresentation.hd.segments
        let text = HLSPlaylist.media(
            segments: segments, targetDuration: 6, initName: "init.mp4", fileName: SamplePresentation.fileName)
        let playlist = try HLSParser.media(text.utf8)
        #expect(playlist.version == 7)
        #expect(playlist.targetDuration == 6)
        #expect(playlist.mediaSequence == 1)
        #expect(playlist.type == "VOD")
        #expect(playlist.map == "init.mp4")
        #expect(playlist.hasIndependentSegments)
        #expect(playlist.hasEndList)
        #expect(!playlist.isIFramesOnly)
        #expect(playlist.segments.map(\.uri) == ["00001.m4s", "00002.m4s", "00003.m4s"])
        #expect(playlist.segments.map(\.duration) == segments.map(\.duration))
        #expect(playlist.segments.map(\.durationText) == ["6.006000", "6.006000", "2.002000"])
        #expect(playlist.segments.allSatisfy { $0.byteRange == nil })
        #expect(playlist.segments.map(\.line) == [9, 11, 13])
    }

    @Test func aWrittenIFramePlaylistIsReadBackCompletely() throws {
        let segments = SamplePresentation.sd.segments
        let text = HLSPlaylist.iframes(segments: segments, initName: "init.mp4", fileName: SamplePresentation.fileName)
        let playlist = try HLSParser.media(text.utf8)
        #expect(playlist.isIFramesOnly)
        #expect(playlist.targetDuration == 2)
        #expect(playlist.segments.count == 7)
        #expect(playlist.segments[2].byteRange == 200_000..<225_025)
        #expect(playlist.segments[6].uri == "00003.m4s")
    }

    @Test func carriageReturnsCommentsEmptyLinesAndUnknownTagsAreSkipped() throws {
        let playlist = try HLSParser.media(
            "#EXTM3U\r\n\r\n# a comment\r\n#EXT-X-NEW:1\r\n#EXT-X-TARGETDURATION:4\r\n#EXTINF:4,title, too\r\na.m4s"
                .utf8)
        #expect(playlist.segments.map(\.uri) == ["a.m4s"])
        #expect(playlist.segments.map(\.duration) == [Rational(4)])
        #expect(playlist.version == 1)
        #expect(!playlist.hasEndList)
    }

    @Test func aByteRangeWithoutOffsetContinuesThePreviousOne() throws {
        let head = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n#EXT-X-BYTERANGE:10@5\na\n#EXTINF:4,\n"
        #expect(try HLSParser.media((head + "#EXT-X-BYTERANGE:7\na\n").utf8).segments[1].byteRange == 15..<22)
        #expect(Self.mediaError(head + "#EXT-X-BYTERANGE:7\nb\n")?.line == 7)
        #expect(Self.mediaError(head + "#EXT-X-BYTERANGE:9223372036854775807@1\na\n")?.line == 7)
        #expect(Self.mediaError(head + "#EXT-X-BYTERANGE:0@1\na\n")?.line == 7)
        #expect(Self.mediaError(head + "#EXT-X-BYTERANGE:1@\na\n")?.line == 7)
        #expect(Self.mediaError(head + "#EXT-X-BYTERANGE:-1@1\na\n")?.line == 7)
    }

    @Test func errorsHaveTheLineItsTextAndAReason() {
        let error = Self.mediaError("#EXTM3U\n#EXT-X-TARGETDURATION:six\n")
        #expect(error?.line == 2)
        #expect(error?.text == "#EXT-X-TARGETDURATION:six")
        #expect(
            error?.description
                == "line 2: not a whole number from 1 to 1000000 (#EXT-X-TARGETDURATION:six)")
    }

    /// Lines after `#EXTM3U` and a target duration, and the number of the line with the error.
    @Test(arguments: [
        ("a.m4s", 3), ("#EXTINF:4\na", 3), ("#EXTINF:,\na", 3), ("#EXTINF:-4,\na", 3), ("#EXTINF:4.,\na", 3),
        ("#EXTINF:.5,\na", 3), ("#EXTINF:4e3,\na", 3), ("#EXTINF:9999999999,\na", 3), ("#EXTINF:nan,\na", 3),
        ("#EXTINF:1.0.0,\na", 3), ("#EXTINF:４,\na", 3), ("#EXTINF:4,", 3), ("#EXTINF:4,\n#EXTINF:4,\na", 4),
        ("#EXT-X-TARGETDURATION:5", 3), ("#EXT-X-VERSION:0", 3), ("#EXT-X-VERSION", 3), ("#EXT-X-VERSION: 7", 3),
        ("#EXT-X-PLAYLIST-TYPE:LIVE", 3), ("#EXT-X-ENDLIST:1", 3), ("#EXT-X-ENDLIST\n#EXT-X-ENDLIST", 4),
        ("#EXT-X-MAP:URI=init.mp4", 3), ("#EXT-X-MAP:", 3), ("#EXT-X-MAP:BYTERANGE=\"0@0\",URI=\"x\"", 3),
        ("#EXTINF:4,\na\n#EXT-X-MAP:URI=\"x\"", 5), ("#EXTINF:4,\na\n#EXT-X-MEDIA-SEQUENCE:1", 5),
        ("#EXT-X-STREAM-INF:BANDWIDTH=1", 3), ("#EXT-X-DISCONTINUITY", 3),
        ("#EXT-X-BYTERANGE:1@0", 3), ("#EXTM3U", 3), ("#EXTINF:4,\na b", 4), ("#EXTINF:4,\u{1B}\na", 3),
        ("#EXTINF:4,\n\u{85}a", 4), ("#EXT-X-MEDIA-SEQUENCE:99999999999999999999", 3),
    ])
    func anInvalidMediaPlaylistIsAnErrorWithItsLine(body: String, line: Int) {
        #expect(Self.mediaError("#EXTM3U\n#EXT-X-TARGETDURATION:4\n" + body + "\n")?.line == line)
    }

    @Test(arguments: [
        "", "\n", "#EXTM3U8\n", " #EXTM3U\n", "\u{FEFF}#EXTM3U\n#EXT-X-TARGETDURATION:4\n", "#EXTM3U\n", "#EXTM3U",
        "<html>",
    ])
    func refusesTextThatIsNotAPlaylist(text: String) {
        #expect(Self.mediaError(text)?.line == 1)
        #expect(Self.masterError(text)?.line == 1)
    }

    @Test func bytesThatAreNotUTF8AreRefused() {
        let bytes = Array("#EXTM3U\n".utf8) + [0x23, 0xFF, 0xFE]
        #expect(throws: HLSParseError(line: 2, text: "", reason: "not UTF-8")) { try HLSParser.media(bytes) }
    }

    @Test(arguments: [
        "BANDWIDTH", "BANDWIDTH=", "=1", "BANDWIDTH=1,", "BANDWIDTH=1,,A=1", "BANDWIDTH=1, A=2", "bandwidth=1",
        "BANDWIDTH=1,BANDWIDTH=1", "BANDWIDTH=\"1\"", "BANDWIDTH=0", "BANDWIDTH=-1", "BANDWIDTH=+1", "A=1",
        "BANDWIDTH=9223372036854775808", "BANDWIDTH=1,CODECS=\"a", "BANDWIDTH=1,CODECS=\"a\"b", "BANDWIDTH=1,CODECS=a",
        "BANDWIDTH=1,CODECS=\"a,\"", "BANDWIDTH=1,CODECS=\"\"", "BANDWIDTH=1,RESOLUTION=1920",
        "BANDWIDTH=1,RESOLUTION=0x0",
        "BANDWIDTH=1,RESOLUTION=1x2x3", "BANDWIDTH=1,RESOLUTION=99999999999999999999x1", "BANDWIDTH=1,FRAME-RATE=0",
        "BANDWIDTH=1,FRAME-RATE=24000/1001", "BANDWIDTH=1,VIDEO-RANGE=\"SDR\"", "BANDWIDTH=1,AUDIO=\"none\"",
        "BANDWIDTH=1,AUDIO=a", "BANDWIDTH=1,A=b\"c",
    ])
    func anInvalidAttributeListIsAnError(list: String) {
        let error = Self.masterError("#EXTM3U\n#EXT-X-STREAM-INF:\(list)\nv.m3u8\n")
        #expect(error != nil)
        #expect(error?.line == 2 || error?.line == 3)
    }

    @Test(arguments: [
        "#EXT-X-STREAM-INF:BANDWIDTH=1", "#EXT-X-STREAM-INF:BANDWIDTH=1\n#EXT-X-VERSION:7\nb", "stray.m3u8",
        "#EXT-X-TARGETDURATION:6", "#EXTINF:4,", "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\"",
        "#EXT-X-MEDIA:TYPE=SMELL,GROUP-ID=\"a\",NAME=\"b\"",
        "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"b\",DEFAULT=YES",
        "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"b\",AUTOSELECT=MAYBE",
        "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1", "#EXT-X-SESSION-KEY:METHOD=NONE", "#EXT-X-INDEPENDENT-SEGMENTS:1",
    ])
    func anInvalidMasterPlaylistIsAnError(body: String) {
        #expect(Self.masterError("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na.m3u8\n" + body + "\n")?.line == 4)
    }

    @Test func longLinesAndListsAreRefused() {
        let list = (0..<100).map { "A\($0)=1" }.joined(separator: ",")
        #expect(
            Self.masterError("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,\(list)\nv\n")?.reason == "too many attributes")
        let name = String(repeating: "a", count: 20_000)
        #expect(Self.mediaError("#EXTM3U\n#EXTINF:4,\n\(name)\n")?.line == 3)
    }

    @Test func quotedStringsMayContainCommasAndEqualsSigns() throws {
        let text = "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"g\",NAME=\"a,B=1\"\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv\n"
        #expect(try HLSParser.master(text.utf8).media.map(\.name) == ["a,B=1"])
    }

    @Test func damagedPlaylistsAreErrorsAndNeverCrash() {
        var generator = SeededGenerator(seed: 7)
        let originals = [
            HLSPlaylist.master(SamplePresentation.make()),
            HLSPlaylist.iframes(
                segments: SamplePresentation.hd.segments, initName: "init.mp4", fileName: SamplePresentation.fileName),
        ].map { Array($0.utf8) }
        for round in 0..<2000 {
            var bytes = originals[round % 2]
            for _ in 0..<Int.random(in: 1...8, using: &generator) {
                bytes[Int.random(in: bytes.indices, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            bytes.removeLast(Int.random(in: 0..<bytes.count, using: &generator) / (round % 3 + 1))
            _ = try? HLSParser.master(bytes)
            _ = try? HLSParser.media(bytes)
        }
    }
}
