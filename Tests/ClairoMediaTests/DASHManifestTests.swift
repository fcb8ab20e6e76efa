import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

@testable import ClairoMedia

@Suite struct DASHManifestTests {
    private static func error(_ text: String) -> DASHParseError? {
        do {
            _ = try DASHParser.parse(Data(text.utf8))
            return nil
        } catch { return error }
    }

    @Test func manifestDescribesVideoAndAudioOnOneTimeline() {
        #expect(
            DASHManifest.mpd(SamplePresentation.make()) == #"""
                <?xml version="1.0" encoding="UTF-8"?>
                <MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011" \#
                type="static" mediaPresentationDuration="PT14.014S" minBufferTime="PT6.016S">
                  <Period id="0" start="PT0S">
                    <AdaptationSet id="0" contentType="video" mimeType="video/mp4" segmentAlignment="true" \#
                startWithSAP="1" par="16:9" maxWidth="1920" maxHeight="1080" maxFrameRate="24000/1001">
                      <Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>
                      <Representation id="1080p" bandwidth="4000000" codecs="avc1.640028" width="1920" height="1080" \#
                frameRate="24000/1001" sar="1:1">
                        <SegmentTemplate timescale="24000" initialization="video/$RepresentationID$/init.mp4" \#
                media="video/$RepresentationID$/$Number%05d$.m4s" startNumber="1">
                          <SegmentTimeline>
                            <S t="0" d="144144" r="1"/>
                            <S d="48048"/>
                          </SegmentTimeline>
                        </SegmentTemplate>
                      </Representation>
                      <Representation id="720p" bandwidth="2000000" codecs="avc1.64001f" width="1280" height="720" \#
                frameRate="24000/1001" sar="1:1">
                        <SegmentTemplate timescale="24000" initialization="video/$RepresentationID$/init.mp4" \#
                media="video/$RepresentationID$/$Number%05d$.m4s" startNumber="1">
                          <SegmentTimeline>
                            <S t="0" d="144144" r="1"/>
                            <S d="48048"/>
                          </SegmentTimeline>
                        </SegmentTemplate>
                      </Representation>
                    </AdaptationSet>
                    <AdaptationSet id="1" contentType="audio" mimeType="audio/mp4" lang="en" segmentAlignment="true" \#
                startWithSAP="1">
                      <AudioChannelConfiguration \#
                schemeIdUri="urn:mpeg:dash:23003:3:audio_channel_configuration:2011" value="2"/>
                      <Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>
                      <Representation id="eng-aac-128k" bandwidth="128000" codecs="mp4a.40.2" audioSamplingRate="48000">
                        <SegmentTemplate timescale="48000" initialization="audio/$RepresentationID$/init.mp4" \#
                media="audio/$RepresentationID$/$Number%05d$.m4s" startNumber="1">
                          <SegmentTimeline>
                            <S t="0" d="288768" r="1"/>
                            <S d="95136"/>
                          </SegmentTimeline>
                        </SegmentTemplate>
                      </Representation>
                    </AdaptationSet>
                  </Period>
                </MPD>

                """#)
    }

    @Test func aWrittenManifestIsReadBackWithConcreteFileNames() throws {
        let presentation = SamplePresentation.make(audio: [
            SamplePresentation.audio(language: "eng"), SamplePresentation.audio(language: "fre"),
        ])
        let document = try DASHParser.parse(Data(DASHManifest.mpd(presentation).utf8))
        #expect(document.duration == Rational(14014, 1000))
        #expect(document.profiles == ["urn:mpeg:dash:profile:isoff-live:2011"])
        #expect(document.adaptationSets.map(\.contentType) == ["video", "audio", "audio"])
        #expect(document.adaptationSets.map(\.language) == [nil, "en", "fr"])
        #expect(document.adaptationSets.map(\.roles) == [["main"], ["main"], ["alternate"]])
        #expect(document.adaptationSets.map(\.channels) == [nil, "2", "2"])
        let video = try #require(document.adaptationSets.first?.representations.last)
        #expect(video.id == "720p")
        #expect(video.bandwidth == 2_000_000)
        #expect(video.codecs == "avc1.64001f")
        #expect(video.width == 1280)
        #expect(video.height == 720)
        #expect(video.frameRate == Rational(24000, 1001))
        #expect(video.timescale == 24000)
        #expect(video.initialization == "video/720p/init.mp4")
        #expect(video.segments.map(\.name) == ["video/720p/00001.m4s", "video/720p/00002.m4s", "video/720p/00003.m4s"])
        #expect(video.segments.map(\.duration) == SamplePresentation.sd.segments.map(\.duration))
        #expect(video.segments.map(\.start) == [.zero, Rational(6006, 1000), Rational(12012, 1000)])
        let audio = try #require(document.adaptationSets.last?.representations.first)
        #expect(audio.audioSamplingRate == 48_000)
        #expect(audio.segments.map(\.name).last == "audio/fre-aac-128k/00003.m4s")
        #expect(audio.segments.map(\.duration) == presentation.audio[1].segments.map(\.duration))
    }

    @Test func fileNamesMatchThePlan() throws {
        var rendition = SamplePresentation.hd
        let segment = MeasuredSegment(duration: Rational(6006, 1000), bytes: 1)
        rendition.segments = Array(repeating: segment, count: 100_001)
        let text = DASHManifest.mpd(SamplePresentation.make(video: [rendition], audio: []))
        let document = try DASHParser.parse(Data(text.utf8))
        let names = try #require(document.adaptationSets.first?.representations.first).segments.map(\.name)
        for index in [0, 8, 9, 99_998, 99_999, 100_000] {
            #expect(names[index] == rendition.rung.segmentKey(index).rawValue)
        }
    }

    @Test func aLaterAttemptThatMadeAllSegmentsIsPartOfTheTemplate() throws {
        var rendition = SamplePresentation.hd
        rendition.rung.laterAttempts = [0..<2, 2..<3].map { SegmentAttempt(segments: $0, attempt: 3) }
        let text = DASHManifest.mpd(SamplePresentation.make(video: [rendition], audio: []))
        #expect(text.contains("initialization=\"video/$RepresentationID$/init-3.mp4\""))
        let document = try DASHParser.parse(Data(text.utf8))
        #expect(document.profiles == ["urn:mpeg:dash:profile:isoff-live:2011"])
        let video = try #require(document.adaptationSets.first?.representations.first)
        #expect(video.initialization == rendition.rung.initKey.rawValue)
        #expect(video.segments.map(\.name) == (0..<3).map { rendition.rung.segmentKey($0).rawValue })
    }

    /// dash.js 5.1 stops at a segment of a list that has a SegmentTimeline.
    @Test func segmentsOfSeveralAttemptsAreListedWithAConstantDuration() throws {
        var rendition = SamplePresentation.sd
        rendition.rung.laterAttempts = [SegmentAttempt(segments: 1..<2, attempt: 2)]
        let text = DASHManifest.mpd(SamplePresentation.make(video: [rendition]))
        #expect(
            text.contains(
                """
                        <SegmentList timescale="24000" duration="144144">
                          <Initialization sourceURL="video/720p/init.mp4"/>
                          <SegmentURL media="video/720p/00001.m4s"/>
                          <SegmentURL media="video/720p/00002-2.m4s"/>
                          <SegmentURL media="video/720p/00003.m4s"/>
                        </SegmentList>

                """))
        let document = try DASHParser.parse(Data(text.utf8))
        #expect(document.profiles == ["urn:mpeg:dash:profile:isoff-main:2011"])
        let video = try #require(document.adaptationSets.first?.representations.first)
        // The last one ends with the period.
        #expect(video.segments.map(\.duration) == rendition.segments.map(\.duration))
    }

    @Test(arguments: [
        "<BaseURL>a</BaseURL>", "<SegmentBase indexRange=\"1-2\"><Initialization range=\"0-0\"/></SegmentBase>",
        "<BaseURL>a</BaseURL><SegmentBase indexRange=\"2-1\"><Initialization range=\"0-0\"/></SegmentBase>",
        "<BaseURL>a</BaseURL><SegmentBase indexRange=\"1-2\"/>",
        "<BaseURL>a</BaseURL><SegmentBase><Initialization range=\"0-0\"/></SegmentBase>",
        "<BaseURL/><SegmentBase indexRange=\"1-2\"><Initialization range=\"0-0\"/></SegmentBase>",
        "<BaseURL>a</BaseURL><BaseURL>b</BaseURL><SegmentBase indexRange=\"1-2\"><Initialization range=\"0-0\"/>"
            + "</SegmentBase>",
    ])
    func invalidFilesAreErrors(content: String) {
        let text = """
            <MPD mediaPresentationDuration="PT4S"><Period><AdaptationSet contentType="video">
            <Representation id="v" bandwidth="1" codecs="c">\(content)</Representation></AdaptationSet></Period></MPD>
            """
        #expect(Self.error(text) != nil)
    }

    @Test(arguments: [
        "duration=\"0\"", "duration=\"x\"", "duration=\"9223372036854775807\"",
        "duration=\"2\" presentationTimeOffset=\"1\"", "",
    ])
    func invalidListsAreErrors(attributes: String) {
        let text = """
            <MPD mediaPresentationDuration="PT4S"><Period><AdaptationSet><Representation id="v" bandwidth="1" codecs="c">
            <SegmentList \(attributes)><Initialization sourceURL="i"/><SegmentURL media="a"/><SegmentURL media="b"/>
            <SegmentURL media="c"/></SegmentList></Representation></AdaptationSet></Period></MPD>
            """
        #expect(Self.error(text) != nil)
    }

    /// The declared rate is that of the busiest run, here of the first three segments: 16 Mbit in 14 s. The first takes
    /// 7 s then, and the second and the third 3.5 s each, although they last 2 s.
    @Test func theBufferTimeIsTheWorstBacklogAtTheDeclaredRate() throws {
        var rendition = SamplePresentation.hd
        rendition.segments = [(10, 1_000_000), (2, 500_000), (2, 500_000), (10, 100_000)].map {
            MeasuredSegment(duration: Rational($0.0), bytes: $0.1)
        }
        let text = DASHManifest.mpd(SamplePresentation.make(video: [rendition], audio: []))
        #expect(text.contains("minBufferTime=\"PT7S\""))
    }

    @Test func codecsAndRangesHaveSetsOfTheirOwnAndHDRItsColor() throws {
        var hdr = SamplePresentation.hd
        hdr.rung.id = "1080p-hevc-hdr"
        hdr.rung.codec = .hevc
        hdr.rung.dynamicRange = .hdr10
        hdr.color = ColorDescription(primaries: 9, transfer: 16, matrix: 9, isFullRange: false)
        let text = DASHManifest.mpd(
            SamplePresentation.make(video: [SamplePresentation.hd, SamplePresentation.sd, hdr], audio: []))
        let document = try DASHParser.parse(Data(text.utf8))
        #expect(
            document.adaptationSets.map { $0.representations.map(\.id) } == [["1080p", "720p"], ["1080p-hevc-hdr"]])
        #expect(document.adaptationSets.map(\.roles) == [["main"], ["main"]])
        for (name, value) in [("ColourPrimaries", 9), ("TransferCharacteristics", 16), ("MatrixCoefficients", 9)] {
            let property = "<SupplementalProperty schemeIdUri=\"urn:mpeg:mpegB:cicp:\(name)\" value=\"\(value)\"/>"
            #expect(text.components(separatedBy: property).count == 2)
        }
    }

    @Test func theRatesOfATrackInAFormatAreASet() throws {
        let text = DASHManifest.mpd(
            SamplePresentation.make(audio: [
                SamplePresentation.audio(language: "eng"),
                SamplePresentation.audio(language: "eng", bitRate: 64_000),
                SamplePresentation.audio(language: "eng", format: .eac351, bitRate: 192_000),
                SamplePresentation.audio(language: "eng", role: .description, stream: 2, bitRate: 96_000),
            ]))
        let sets = try DASHParser.parse(Data(text.utf8)).adaptationSets.filter { $0.contentType == "audio" }
        #expect(
            sets.map { $0.representations.map(\.id) } == [
                ["eng-aac-128k", "eng-aac-64k"], ["eng-eac3-5.1-192k"], ["eng-description-aac-96k"],
            ])
        #expect(sets.map(\.channels) == ["2", "F801", "2"])
        #expect(sets.map(\.roles) == [["main"], ["main"], ["description"]])
        #expect(text.contains("<Accessibility schemeIdUri=\"urn:tva:metadata:cs:AudioPurposeCS:2007\" value=\"1\"/>"))
    }

    @Test func textTracksAreSetsOfOneFile() throws {
        let text = DASHManifest.mpd(
            SamplePresentation.make(text: [
                SamplePresentation.text("eng", language: "eng", isDefault: true),
                SamplePresentation.text("fra-sdh", language: "fra", role: .captions),
                SamplePresentation.text("fra-forced", language: "fra", role: .forced),
            ]))
        #expect(
            text.contains(
                """
                    <AdaptationSet id="2" contentType="text" mimeType="text/vtt" lang="en">
                      <Role schemeIdUri="urn:mpeg:dash:role:2011" value="subtitle"/>
                      <Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>
                      <Representation id="eng" bandwidth="1001">
                        <BaseURL>text/eng.vtt</BaseURL>
                      </Representation>
                    </AdaptationSet>

                """))
        let sets = try DASHParser.parse(Data(text.utf8)).adaptationSets.filter { $0.contentType == "text" }
        #expect(sets.map(\.roles) == [["subtitle", "main"], ["caption"], ["forced-subtitle"]])
        #expect(
            sets.map { $0.representations.map(\.wholeFile) } == [
                ["text/eng.vtt"], ["text/fra-sdh.vtt"], ["text/fra-forced.vtt"],
            ])
    }

    @Test func renditionsOfOneFileHaveTheOnDemandProfile() throws {
        var presentation = SamplePresentation.make(video: [SamplePresentation.hd], audio: [])
        presentation.video[0].file = SingleFile(
            key: "video/1080p/media.mp4", initBytes: 804, indexBytes: 68, segments: [], typeBytes: [24, 24, 24])
        let text = DASHManifest.mpd(presentation)
        #expect(text.contains("urn:mpeg:dash:profile:isoff-on-demand:2011"))
        #expect(text.contains("subsegmentAlignment=\"true\" subsegmentStartsWithSAP=\"1\""))
        #expect(
            text.contains(
                """
                        <BaseURL>video/1080p/media.mp4</BaseURL>
                        <SegmentBase timescale="24000" indexRange="804-871">
                          <Initialization range="0-803"/>
                        </SegmentBase>

                """))
        let document = try DASHParser.parse(Data(text.utf8))
        #expect(
            document.adaptationSets.first?.representations.first?.file
                == DASHFile(name: "video/1080p/media.mp4", initialization: 0..<804, index: 804..<872))
    }

    @Test func anAudioOnlyOutputHasOnlyAudioSets() throws {
        let text = DASHManifest.mpd(SamplePresentation.make(video: []))
        #expect(!text.contains("video"))
        #expect(try DASHParser.parse(Data(text.utf8)).adaptationSets.map(\.contentType) == ["audio"])
    }

    @Test func aVideoOnlyOutputWithOneSegmentHasOneEntry() throws {
        var rendition = SamplePresentation.hd
        rendition.rung.size = FrameSize(width: 608, height: 1080)
        rendition.frameRate = Rational(25)
        rendition.timescale = 12_800
        rendition.segments = [MeasuredSegment(duration: Rational(1, 25), bytes: 500)]
        var presentation = SamplePresentation.make(video: [rendition], audio: [])
        presentation.duration = Rational(1, 25)
        let text = DASHManifest.mpd(presentation)
        #expect(text.contains("<S t=\"0\" d=\"512\"/>"))
        #expect(text.contains("par=\"76:135\""))
        #expect(text.contains("frameRate=\"25\""))
        #expect(text.contains("mediaPresentationDuration=\"PT0.04S\" minBufferTime=\"PT0.04S\""))
        #expect(try DASHParser.parse(Data(text.utf8)).duration == Rational(1, 25))
    }

    @Test func hostileTitlesAndLanguagesAreEscaped() throws {
        let track = SamplePresentation.audio(language: "en", title: "</Label><S d=\"1\"/>&amp;\u{0}\u{FFFF}'\r\nx")
        let text = DASHManifest.mpd(SamplePresentation.make(audio: [track]))
        #expect(text.contains("<Label>&lt;/Label&gt;&lt;S d=&quot;1&quot;/&gt;&amp;amp; &apos; x</Label>"))
        let document = try DASHParser.parse(Data(text.utf8))
        #expect(document.adaptationSets[1].representations[0].segments.count == 3)
    }

    @Test(arguments: [
        ("PT0S", Rational.zero), ("PT14.014S", Rational(14014, 1000)), ("PT1H2M3.5S", Rational(7447, 2)),
        ("P1DT1S", Rational(86_401)), ("P2D", Rational(172_800)), ("PT90M", Rational(5400)),
    ])
    func durationsAreParsedInSeconds(text: String, seconds: Rational) {
        #expect(DASHParser.seconds(isoDuration: text) == seconds)
    }

    @Test(arguments: [
        "", "P", "PT", "PTS", "P1Y", "P1M", "PT1", "1S", "PT-1S", "PT1S1M", "PT1S1S", "P1DT", "PT1.S", "PT1.5H",
        "PT9999999999S", "PT1STT1S", "PT1ST2S", " PT1S", "P1D1D", "PT１S",
    ])
    func anInvalidDurationIsNil(text: String) {
        #expect(DASHParser.seconds(isoDuration: text) == nil)
    }

    /// An MPD with one representation, with parts that a test replaces.
    private static func document(
        head: String = "", mpd: String = "type=\"static\" mediaPresentationDuration=\"PT4S\"",
        representation: String = "id=\"v\" bandwidth=\"1\" codecs=\"c\"",
        template: String = "timescale=\"1\" initialization=\"i\" media=\"$Number$\"",
        timeline: String = "<S t=\"0\" d=\"4\"/>"
    ) -> String {
        """
        <?xml version="1.0"?>\(head)
        <MPD \(mpd)><Period><AdaptationSet contentType="video"><Representation \(representation)>
        <SegmentTemplate \(template)><SegmentTimeline>\(timeline)</SegmentTimeline></SegmentTemplate>
        </Representation></AdaptationSet></Period></MPD>
        """
    }

    @Test func theSmallestManifestIsParsed() {
        #expect(Self.error(Self.document()) == nil)
    }

    @Test(arguments: [
        "<S t=\"0\" d=\"0\"/>", "<S/>", "<S d=\"-1\"/>", "<S d=\"1\" r=\"-1\"/>", "<S d=\"x\"/>", "",
        "<S d=\"99999999999999999999\"/>", "<S d=\"9223372036854775807\" r=\"1\"/>",
        "<S t=\"9223372036854775807\" d=\"1\"/>", "<S d=\"4\"/><S t=\"3\" d=\"1\"/>", "<S d=\"1\" r=\"1000000\"/>",
        "<S d=\"1\" r=\"9223372036854775807\"/>", "<S d=\"1\" r=\"999999\"/><S d=\"1\"/>",
    ])
    func hostileTimelinesAreErrors(timeline: String) {
        #expect(Self.error(Self.document(timeline: timeline)) != nil)
    }

    @Test(arguments: [
        ("$RepresentationID$-$Number%05d$-$Time$-$Bandwidth$$$", "v-00007-0-1$"), ("plain", "plain"),
        ("$Number%01d$", "7"),
    ])
    func templatesAreExpanded(media: String, name: String) throws {
        let text = Self.document(template: "initialization=\"i\" media=\"\(media)\" startNumber=\"7\"")
        let document = try DASHParser.parse(Data(text.utf8))
        #expect(document.adaptationSets.first?.representations.first?.segments.map(\.name) == [name])
    }

    @Test(arguments: [
        "media=\"$Number$\"", "initialization=\"i\"", "initialization=\"$Number$\" media=\"m\"",
        "initialization=\"i\" media=\"$Number\"", "initialization=\"i\" media=\"$Numbers$\"",
        "initialization=\"i\" media=\"$Number%5d$\"", "initialization=\"i\" media=\"$Number%0999999999d$\"",
        "initialization=\"i\" media=\"$Number%$\"", "initialization=\"i\" media=\"$Number%05x$\"",
        "initialization=\"i\" media=\"$RepresentationID%05d$\"",
        "initialization=\"i\" media=\"m\" timescale=\"0\"", "initialization=\"i\" media=\"m\" duration=\"4\"",
        "initialization=\"i\" media=\"m\" presentationTimeOffset=\"4\"",
        "initialization=\"i\" media=\"m\" startNumber=\"9223372036854775807\"",
    ])
    func invalidTemplatesAreErrors(template: String) {
        #expect(Self.error(Self.document(template: template)) != nil)
    }

    @Test(arguments: [
        "bandwidth=\"1\" codecs=\"c\"", "id=\"a b\" bandwidth=\"1\" codecs=\"c\"", "id=\"v\" codecs=\"c\"",
        "id=\"v\" bandwidth=\"1\"", "id=\"v\" bandwidth=\"1\" codecs=\"c\" width=\"0\"",
        "id=\"v\" bandwidth=\"1\" codecs=\"c\" frameRate=\"25/0\"",
        "id=\"v\" bandwidth=\"1\" codecs=\"c\" frameRate=\"1/2/3\"",
        "id=\"v\" bandwidth=\"1\" codecs=\"c\" frameRate=\"25.0\"",
        "id=\"v\" bandwidth=\"1\" codecs=\"c\" frameRate=\"\"",
    ])
    func invalidRepresentationsAreErrors(attributes: String) {
        #expect(Self.error(Self.document(representation: attributes)) != nil)
    }

    @Test func documentTypesEntitiesAndOtherEncodingsAreRefused() {
        let bomb = "<!DOCTYPE MPD [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]>"
        #expect(Self.error(Self.document(head: bomb))?.reason == "a document type declaration")
        #expect(Self.error(Self.document(representation: "id=\"&x;\" bandwidth=\"1\" codecs=\"c\"")) != nil)
        for encoding in ["UTF-7", "UTF-16", "ISO-8859-1"] {
            let text = "<?xml version=\"1.0\" encoding=\"\(encoding)\" standalone=\"utf-8\"?><MPD/>"
            #expect(Self.error(text)?.reason == "an encoding other than UTF-8")
        }
        #expect(throws: DASHParseError.self) { try DASHParser.parse(Data([0xFF, 0xFE, 0x3C, 0x00])) }
    }

    @Test(arguments: [
        "", "x", "<MPD>", "<html/>", "<MPD type=\"static\" mediaPresentationDuration=\"PT1S\"/>",
        "<MPD type=\"dynamic\" mediaPresentationDuration=\"PT1S\"><Period/></MPD>", "<MPD><Period/></MPD>",
        "<MPD mediaPresentationDuration=\"PT1S\"><Period/><Period/></MPD>",
        "<MPD mediaPresentationDuration=\"PT1S\"><BaseURL>http://example.com/</BaseURL><Period/></MPD>",
    ])
    func onlyStaticManifestsAreAccepted(text: String) {
        #expect(Self.error(text) != nil)
    }

    @Test func longTemplatesAndDeepElementsAreRefused() {
        for media in [String(repeating: "m", count: 2000), String(repeating: "$", count: 200)] {
            #expect(Self.error(Self.document(template: "initialization=\"i\" media=\"\(media)\"")) != nil)
        }
        let deep = String(repeating: "<a>", count: 100_000)
        #expect(Self.error(deep) != nil)
        let text = "<MPD mediaPresentationDuration=\"PT1S\"><Period>\(deep)</Period></MPD>"
        #expect(Self.error(text)?.reason == "elements nested too deep")
    }

    @Test func errorsHaveALineNumber() {
        #expect(
            Self.error(Self.document(timeline: "\n<S d=\"x\"/>"))?.description == "line 4: d is no whole number from 1")
    }

    @Test func theSegmentLimitAppliesToAllRepresentationsTogether() {
        let representations = (0..<3).map { "<Representation id=\"\($0)\" bandwidth=\"1\" codecs=\"c\"/>" }.joined()
        let text = """
            <MPD mediaPresentationDuration="PT1S"><Period><AdaptationSet>
            <SegmentTemplate initialization="i" media="m"><SegmentTimeline><S d="1" r="399999"/></SegmentTimeline>
            </SegmentTemplate>\(representations)</AdaptationSet></Period></MPD>
            """
        #expect(Self.error(text)?.reason == "more than 1000000 segments")
    }

    @Test func damagedManifestsAreErrorsAndNeverCrash() {
        var generator = SeededGenerator(seed: 11)
        let original = Array(DASHManifest.mpd(SamplePresentation.make()).utf8)
        for _ in 0..<1000 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...8, using: &generator) {
                bytes[Int.random(in: bytes.indices, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            _ = try? DASHParser.parse(Data(bytes))
        }
    }
}
