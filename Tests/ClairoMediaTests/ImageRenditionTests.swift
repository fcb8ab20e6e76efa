import ClairoCore
import Foundation
import Testing

@testable import ClairoMedia

/// How playlists and manifests describe a storyboard.
@Suite struct ImageRenditionTests {
    /// 31 tiles of 2.002 s in two sheets; the last tile lasts 1.001 s.
    private static func storyboard() throws -> ImageRendition {
        let grid = SegmentGrid(frameRate: Rational(24_000, 1001), frameCount: 30 * 48 + 24)
        let video = VideoPlan(
            streamIndex: 0, grid: grid, sourceFrameCount: grid.frameCount, orientation: .upright, deinterlace: false,
            dynamicRange: .sdr, color: .unspecified, segmentsPerEncoder: 1, isSeekable: true,
            rungs: [SamplePresentation.hd.rung, SamplePresentation.sd.rung], decisions: [])
        return ImageRendition(plan: try #require(ImagePlan(storyboardOf: video)), sheetBytes: [80_080, 11_011])
    }

    private static func presentation() throws -> Presentation {
        var presentation = SamplePresentation.make()
        presentation.images = [try storyboard()]
        presentation.duration = try storyboard().plan.duration
        return presentation
    }

    @Test func sheetsLastUntilTheNextOneOrTheEnd() throws {
        #expect(
            try Self.storyboard().sheets == [
                MeasuredSegment(duration: Rational(50_050, 1000), bytes: 80_080),
                MeasuredSegment(duration: Rational(11_011, 1000), bytes: 11_011),
            ])
    }

    @Test func theWebVTTFileHasACueForEachTile() throws {
        let plan = try Self.storyboard().plan
        let text = StoryboardTrack.text(of: plan)
        #expect(
            text.hasPrefix(
                """
                WEBVTT

                00:00:00.000 --> 00:00:02.002
                00001.jpg#xywh=0,0,160,90

                00:00:02.002 --> 00:00:04.004
                00001.jpg#xywh=160,0,160,90

                """))
        #expect(
            text.hasSuffix(
                """

                00:00:58.058 --> 00:01:00.060
                00002.jpg#xywh=640,0,160,90

                00:01:00.060 --> 00:01:01.061
                00002.jpg#xywh=0,90,160,90

                """))
        #expect(text.contains("00:00:50.050 --> 00:00:52.052\n00002.jpg#xywh=0,0,160,90\n"))
        let cues = try #require(StoryboardTrack.parse(text))
        #expect(cues == StoryboardTrack.cues(of: plan) && cues.count == 31)
    }

    @Test(arguments: [
        "", "hello", "WEBVTT\n\n00:00:00.000 --> 00:00:02.002\n", "WEBVTT\n\n00:00 --> 00:01\n1.jpg#xywh=0,0,1,1\n",
        "WEBVTT\n\n00:00:00.000 --> 00:00:02.002\n1.jpg\n", "WEBVTT\n\n00:00:00.000\n1.jpg#xywh=0,0,1,1\n",
        "WEBVTT\n\n00:00:99.000 --> 00:00:02.002\n1.jpg#xywh=0,0,1,1\n",
        "WEBVTT\n\n00:00:00.000 --> 00:00:02.002\n1.jpg#xywh=0,0,1\n",
    ])
    func otherTextIsNoStoryboard(text: String) {
        #expect(StoryboardTrack.parse(text) == nil)
    }

    @Test func theImagePlaylistListsTheSheetsWithTheirLayout() throws {
        let text = HLSPlaylist.images(try Self.storyboard())
        #expect(
            text == """
                #EXTM3U
                #EXT-X-VERSION:7
                #EXT-X-TARGETDURATION:50
                #EXT-X-MEDIA-SEQUENCE:1
                #EXT-X-PLAYLIST-TYPE:VOD
                #EXT-X-IMAGES-ONLY
                #EXTINF:50.050000,
                #EXT-X-TILES:RESOLUTION=160x90,LAYOUT=5x5,DURATION=2.002000
                00001.jpg
                #EXTINF:11.011000,
                #EXT-X-TILES:RESOLUTION=160x90,LAYOUT=5x5,DURATION=2.002000
                00002.jpg
                #EXT-X-ENDLIST

                """)
        let playlist = try HLSParser.media(Data(text.utf8))
        #expect(playlist.isImagesOnly && playlist.hasEndList && !playlist.isIFramesOnly)
        #expect(playlist.segments.map(\.uri) == ["00001.jpg", "00002.jpg"])
        let tiles = try #require(playlist.segments.last?.tiles)
        #expect(tiles.size == FrameSize(width: 160, height: 90) && tiles.columns == 5 && tiles.rows == 5)
        #expect(tiles.duration == Rational(2002, 1000))
    }

    @Test func theMasterPlaylistNamesTheImagePlaylistLast() throws {
        let text = HLSPlaylist.master(try Self.presentation())
        #expect(
            text.hasSuffix(
                """

                #EXT-X-IMAGE-STREAM-INF:BANDWIDTH=12800,RESOLUTION=160x90,CODECS="jpeg",\
                URI="images/storyboard/playlist.m3u8"

                """))
        let master = try HLSParser.master(Data(text.utf8))
        #expect(master.imageStreams.map(\.uri) == ["images/storyboard/playlist.m3u8"])
        #expect(master.imageStreams.first?.resolution == FrameSize(width: 160, height: 90))
        #expect(master.imageStreams.first?.bandwidth == 12_800)
        #expect(!HLSPlaylist.master(SamplePresentation.make()).contains("IMAGE"))
    }

    @Test func theManifestHasASetOfThumbnails() throws {
        let text = DASHManifest.mpd(try Self.presentation())
        #expect(
            text.contains(
                #"""
                    <AdaptationSet id="2" contentType="image" mimeType="image/jpeg">
                      <Representation id="storyboard" bandwidth="12800" width="800" height="450">
                        <EssentialProperty schemeIdUri="http://dashif.org/guidelines/thumbnail_tile" value="5x5"/>
                        <SegmentTemplate timescale="20" duration="1001" \#
                media="images/$RepresentationID$/$Number%05d$.jpg" startNumber="1"/>
                      </Representation>
                    </AdaptationSet>

                """#))
        let document = try DASHParser.parse(Data(text.utf8))
        let set = try #require(document.adaptationSets.last)
        #expect(set.contentType == "image")
        let images = try #require(set.representations.first)
        #expect(images.tiles == "5x5" && images.width == 800 && images.height == 450)
        #expect(images.segments.map(\.name) == ["images/storyboard/00001.jpg", "images/storyboard/00002.jpg"])
        #expect(images.segments.map(\.start) == [.zero, Rational(1001, 20)])
        #expect(!DASHManifest.mpd(SamplePresentation.make()).contains("image"))
    }
}
