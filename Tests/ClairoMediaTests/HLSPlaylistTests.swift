import ClairoCore
import Testing

@testable import ClairoMedia

/// Two rungs at 24000/1001 with segments of 6.006, 6.006 and 2.002 s, and a stereo track at exactly 128 kbit/s.
enum SamplePresentation {
    static func video(_ name: String, width: Int, height: Int, codec: String, scale: Int) -> VideoRendition {
        let gop = Rational(2002, 1000)
        func segment(bytes: Int, gops: Int) -> MeasuredSegment {
            MeasuredSegment(
                duration: gop * Rational(Int64(gops)), bytes: bytes / scale,
                keyFrames: (0..<gops).map {
                    KeyFrameRange(offset: $0 * 100_000, length: 50_050 / scale, duration: gop)
                })
        }
        return VideoRendition(
            rung: Rung(
                id: name, size: FrameSize(width: width, height: height), maxRate: 5_000_000, bufferSize: 7_500_000),
            codec: codec, frameRate: Rational(24000, 1001), videoRange: "SDR", timescale: 24000, initBytes: 800,
            segments: [
                segment(bytes: 3_003_000, gops: 3), segment(bytes: 1_501_500, gops: 3),
                segment(bytes: 250_250, gops: 1),
            ])
    }

    static func audio(
        language: String, title: String? = nil, format: AudioFormat = .aac, role: TrackRole? = nil, stream: Int = 1,
        bitRate: Int64 = 128_000
    ) -> AudioRendition {
        let boundaries = [Rational(6006, 1000), Rational(12012, 1000)]
        func segment(samples: Int64) -> MeasuredSegment {
            MeasuredSegment(duration: Rational(samples, 48_000), bytes: Int(samples * bitRate / 8 / 48_000))
        }
        return AudioRendition(
            track: AudioPlan(
                format: format, role: role, streamIndex: stream, language: language, title: title,
                channels: format.isSurround ? 6 : 2, bitRate: bitRate, sampleCount: 672_672,
                segmentBoundaries: boundaries),
            codec: format.codec == .eac3 ? "ec-3" : "mp4a.40.2", initBytes: 700,
            segments: [segment(samples: 288_768), segment(samples: 288_768), segment(samples: 95_136)])
    }

    static let hd = video("1080p", width: 1920, height: 1080, codec: "avc1.640028", scale: 1)
    static let sd = video("720p", width: 1280, height: 720, codec: "avc1.64001f", scale: 2)

    static func make(
        video: [VideoRendition] = [hd, sd], audio: [AudioRendition] = [audio(language: "eng")],
        text: [TextRendition] = []
    ) -> Presentation {
        Presentation(video: video, audio: audio, text: text, duration: Rational(14014, 1000))
    }

    static func text(_ id: String, language: String, role: TrackRole? = nil, isDefault: Bool = false) -> TextRendition {
        let track = TextPlan(
            id: id, source: .stream(index: 3), language: language, role: role, isDefault: isDefault,
            duration: Rational(14014, 1000), segmentBoundaries: [Rational(6006, 1000), Rational(12012, 1000)])
        return TextRendition(
            track: track,
            segments: [6006, 6006, 2002].map { MeasuredSegment(duration: Rational($0, 1000), bytes: 100) },
            wholeBytes: 1752)
    }

    static func fileName(_ index: Int) -> String { "0000\(index + 1).m4s" }
}

private func lines(_ text: String, startingWith prefix: String) -> [String] {
    text.split(separator: "\n").map(String.init).filter { $0.hasPrefix(prefix) }
}

@Suite struct HLSPlaylistTests {
    @Test func masterListsAudioThenVariantsWithTheDefaultFirstThenIFrameStreams() {
        #expect(
            HLSPlaylist.master(SamplePresentation.make()) == """
                #EXTM3U
                #EXT-X-VERSION:7
                #EXT-X-INDEPENDENT-SEGMENTS
                #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aac",NAME="English",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,\
                CHANNELS="2",URI="audio/eng-aac-128k/playlist.m3u8"
                #EXT-X-STREAM-INF:BANDWIDTH=2128000,AVERAGE-BANDWIDTH=1485143,CODECS="avc1.64001f,mp4a.40.2",\
                RESOLUTION=1280x720,FRAME-RATE=23.976,VIDEO-RANGE=SDR,AUDIO="aac",CLOSED-CAPTIONS=NONE
                video/720p/playlist.m3u8
                #EXT-X-STREAM-INF:BANDWIDTH=4128000,AVERAGE-BANDWIDTH=2842286,CODECS="avc1.640028,mp4a.40.2",\
                RESOLUTION=1920x1080,FRAME-RATE=23.976,VIDEO-RANGE=SDR,AUDIO="aac",CLOSED-CAPTIONS=NONE
                video/1080p/playlist.m3u8
                #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=200000,AVERAGE-BANDWIDTH=200000,CODECS="avc1.640028",\
                RESOLUTION=1920x1080,VIDEO-RANGE=SDR,URI="video/1080p/iframes.m3u8"
                #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=100000,AVERAGE-BANDWIDTH=100000,CODECS="avc1.64001f",\
                RESOLUTION=1280x720,VIDEO-RANGE=SDR,URI="video/720p/iframes.m3u8"

                """)
    }

    @Test func videoWithoutAudioHasNoGroupAndOnlyItsOwnRate() {
        let text = HLSPlaylist.master(SamplePresentation.make(video: [SamplePresentation.sd], audio: []))
        #expect(!text.contains("AUDIO"))
        #expect(
            lines(text, startingWith: "#EXT-X-STREAM-INF") == [
                "#EXT-X-STREAM-INF:BANDWIDTH=2000000,AVERAGE-BANDWIDTH=1357143,CODECS=\"avc1.64001f\","
                    + "RESOLUTION=1280x720,FRAME-RATE=23.976,VIDEO-RANGE=SDR,CLOSED-CAPTIONS=NONE"
            ])
    }

    @Test func aSingleAudioTrackWithoutVideoIsAVariant() {
        #expect(
            HLSPlaylist.master(SamplePresentation.make(video: [])) == """
                #EXTM3U
                #EXT-X-VERSION:7
                #EXT-X-INDEPENDENT-SEGMENTS
                #EXT-X-STREAM-INF:BANDWIDTH=128000,AVERAGE-BANDWIDTH=128000,CODECS="mp4a.40.2"
                audio/eng-aac-128k/playlist.m3u8

                """)
    }

    @Test func severalAudioTracksWithoutVideoFormAGroup() {
        let tracks = [SamplePresentation.audio(language: "deu"), SamplePresentation.audio(language: "fra")]
        let text = HLSPlaylist.master(SamplePresentation.make(video: [], audio: tracks))
        #expect(lines(text, startingWith: "#EXT-X-MEDIA").count == 2)
        #expect(text.hasSuffix(",CODECS=\"mp4a.40.2\",AUDIO=\"aac\"\naudio/deu-aac-128k/playlist.m3u8\n"))
    }

    @Test func variantBandwidthIncludesTheAudioTrackWithTheHighestRate() {
        let tracks = [
            SamplePresentation.audio(language: "eng", bitRate: 64_000),
            SamplePresentation.audio(language: "fre", bitRate: 192_000),
        ]
        let text = HLSPlaylist.master(SamplePresentation.make(audio: tracks))
        #expect(text.contains("BANDWIDTH=2192000,AVERAGE-BANDWIDTH=1549143,"))
    }

    // MARK: Groups

    /// English and French, both in stereo at two rates, and English in 5.1.
    private static let severalFormats = [
        SamplePresentation.audio(language: "eng"),
        SamplePresentation.audio(language: "eng", bitRate: 64_000),
        SamplePresentation.audio(language: "eng", format: .eac351, bitRate: 192_000),
        SamplePresentation.audio(language: "fra", stream: 2),
        SamplePresentation.audio(language: "fra", stream: 2, bitRate: 64_000),
    ]

    @Test func everyGroupHasEveryTrackInItsFormatOrAnother() {
        let groups = SamplePresentation.make(audio: Self.severalFormats).audioGroups
        #expect(groups.map(\.id) == ["aac", "aac-64", "eac3-5.1"])
        #expect(
            groups.map { $0.members.map(\.track.id) } == [
                ["eng-aac-128k", "fra-aac-128k"], ["eng-aac-64k", "fra-aac-64k"],
                ["eng-eac3-5.1-192k", "fra-aac-128k"],
            ])
    }

    @Test func rungsHaveTheFirstGroupAndSurroundAndTheSmallestTheLowestRate() throws {
        let text = HLSPlaylist.master(SamplePresentation.make(audio: Self.severalFormats))
        let master = try HLSParser.master(text.utf8)
        #expect(
            master.variants.map { "\($0.uri.dropFirst(6).prefix { $0 != "/" }) \($0.audioGroup ?? "")" } == [
                "720p aac-64", "1080p aac", "720p eac3-5.1", "1080p eac3-5.1",
            ])
        #expect(master.variants[0].bandwidth == 2_064_000 && master.variants[1].bandwidth == 4_128_000)
        #expect(master.variants[2].codecs == ["avc1.64001f", "ec-3", "mp4a.40.2"])
        // The same track has the same name in all groups.
        #expect(Set(master.media.filter { $0.language == "fr" }.map(\.name)) == ["Français"])
        #expect(
            master.media.filter(\.isDefault).map(\.uri) == [
                "audio/eng-aac-128k/playlist.m3u8", "audio/eng-aac-64k/playlist.m3u8",
                "audio/eng-eac3-5.1-192k/playlist.m3u8",
            ])
        #expect(master.media.filter { $0.groupID == "eac3-5.1" }.map(\.channels) == ["6", "2"])
    }

    @Test func surroundSoundOfAnotherStreamHasTheNameOfTheTrack() throws {
        let tracks = [
            SamplePresentation.audio(language: "eng", title: "Stereo"),
            SamplePresentation.audio(language: "eng", title: "Cinema", format: .eac351, stream: 3),
        ]
        let master = try HLSParser.master(HLSPlaylist.master(SamplePresentation.make(audio: tracks)).utf8)
        #expect(master.media.map(\.groupID) == ["aac", "eac3-5.1"])
        #expect(Set(master.media.map(\.name)) == ["Stereo"])
    }

    @Test func aTrackThatDescribesTheVideoIsSelectedByItsCharacteristicsAndACommentaryByHand() {
        let tracks = [
            SamplePresentation.audio(language: "eng"),
            SamplePresentation.audio(language: "eng", title: "Described", role: .description, stream: 2),
            SamplePresentation.audio(language: "fra", title: "Director", role: .commentary, stream: 3),
        ]
        let media = lines(HLSPlaylist.master(SamplePresentation.make(audio: tracks)), startingWith: "#EXT-X-MEDIA")
        #expect(
            media[1].contains("AUTOSELECT=YES,CHARACTERISTICS=\"public.accessibility.describes-video\",CHANNELS=\"2\""))
        #expect(!media[0].contains("CHARACTERISTICS"))
        #expect(media[2].contains("AUTOSELECT=NO"))
    }

    @Test func everyCodecAndRangeHasVariantsAndIFramesAndH264ComesFirst() throws {
        var hdr = SamplePresentation.video(
            "1080p-hevc-hdr", width: 1920, height: 1080, codec: "hvc1.2.4.L120.B0", scale: 2)
        hdr.rung.codec = .hevc
        hdr.rung.dynamicRange = .hdr10
        hdr.videoRange = "PQ"
        let text = HLSPlaylist.master(
            SamplePresentation.make(video: [hdr, SamplePresentation.hd, SamplePresentation.sd]))
        let master = try HLSParser.master(text.utf8)
        #expect(master.variants.map(\.codecs.first) == ["avc1.64001f", "hvc1.2.4.L120.B0", "avc1.640028"])
        #expect(master.variants.map(\.videoRange) == ["SDR", "PQ", "SDR"])
        #expect(master.iframeStreams.map(\.videoRange) == ["PQ", "SDR", "SDR"])
    }

    @Test func textTracksAreAGroupOfAllVariants() throws {
        let text = HLSPlaylist.master(
            SamplePresentation.make(text: [
                SamplePresentation.text("eng", language: "eng", isDefault: true),
                SamplePresentation.text("eng-sdh", language: "eng", role: .captions),
                SamplePresentation.text("fra-forced", language: "fra", role: .forced),
                SamplePresentation.text("und", language: "und"),
            ]))
        #expect(
            lines(text, startingWith: "#EXT-X-MEDIA:TYPE=SUBTITLES") == [
                "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"text\",NAME=\"English\",LANGUAGE=\"en\",DEFAULT=YES,"
                    + "AUTOSELECT=YES,FORCED=NO,URI=\"text/eng/playlist.m3u8\"",
                "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"text\",NAME=\"English (SDH)\",LANGUAGE=\"en\",DEFAULT=NO,"
                    + "AUTOSELECT=YES,FORCED=NO,CHARACTERISTICS=\"public.accessibility.transcribes-spoken-dialog,"
                    + "public.accessibility.describes-music-and-sound\",URI=\"text/eng-sdh/playlist.m3u8\"",
                "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"text\",NAME=\"Français (forced)\",LANGUAGE=\"fr\",DEFAULT=NO,"
                    + "AUTOSELECT=YES,FORCED=YES,URI=\"text/fra-forced/playlist.m3u8\"",
                "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"text\",NAME=\"Subtitles\",LANGUAGE=\"und\",DEFAULT=NO,"
                    + "AUTOSELECT=YES,FORCED=NO,URI=\"text/und/playlist.m3u8\"",
            ])
        let master = try HLSParser.master(text.utf8)
        #expect(master.variants.allSatisfy { $0.subtitlesGroup == "text" && $0.audioGroup == "aac" })
        #expect(throws: HLSParseError.self) {
            try HLSParser.master(text.replacing("GROUP-ID=\"text\"", with: "GROUP-ID=\"other\"").utf8)
        }
    }

    @Test func onlyTheFirstTrackIsDefaultAndNamesAreUnique() {
        let tracks = [
            SamplePresentation.audio(language: "eng"), SamplePresentation.audio(language: "ger"),
            SamplePresentation.audio(language: "en", bitRate: 64_000),
        ]
        let media = lines(HLSPlaylist.master(SamplePresentation.make(audio: tracks)), startingWith: "#EXT-X-MEDIA")
        #expect(media[0].contains("NAME=\"English\",LANGUAGE=\"en\",DEFAULT=YES,AUTOSELECT=YES"))
        #expect(media[1].contains("NAME=\"Deutsch\",LANGUAGE=\"de\",DEFAULT=NO,AUTOSELECT=YES"))
        #expect(media[2].contains("NAME=\"English 2\",LANGUAGE=\"en\",DEFAULT=NO,AUTOSELECT=NO"))
    }

    @Test(arguments: [
        ("Director\"s\ncut", "Director's cut"),
        ("a\r\n#EXT-X-ENDLIST\r\n", "a #EXT-X-ENDLIST"),
        ("\u{0}\u{1B}[31mred\u{85}\u{2028}x\u{7F}", "[31mred x"),
        ("  spaced   out\t", "spaced out"),
        ("\"\n\"", "' '"),
        (" \r\n ", "English"),
        ("日本語 🎬", "日本語 🎬"),
    ])
    func hostileTitlesCannotEscapeTheirQuotes(title: String, name: String) throws {
        let text = HLSPlaylist.master(
            SamplePresentation.make(audio: [SamplePresentation.audio(language: "eng", title: title)]))
        let master = try HLSParser.master(text.utf8)
        #expect(master.media.map(\.name) == [name])
        #expect(master.variants.count == 2)
    }

    @Test func longTitlesAreTruncated() {
        #expect(HLSPlaylist.printable(String(repeating: "é", count: 5000)) == String(repeating: "é", count: 100))
    }

    @Test(arguments: [
        ("eng", "en"), ("ger", "de"), ("deu", "de"), ("fre", "fr"), ("fra", "fr"), ("chi", "zh"), ("EN", "en"),
        ("pt-BR", "pt-BR"), ("eng-US", "en-US"), ("en_US", "en-US"), ("und", "und"), ("", "und"), ("gsw", "gsw"),
        ("x", "und"), ("e\"g", "und"), ("en-", "und"), ("../../etc", "und"), ("日本", "und"), ("mis\n", "und"),
    ])
    func languagesAreWrittenAsTheShortestTag(code: String, tag: String) {
        #expect(LanguageTag(code).text == tag)
    }

    @Test func mediaPlaylistListsEachSegmentWithItsExactDuration() {
        let segments = SamplePresentation.hd.segments
        #expect(
            HLSPlaylist.media(
                segments: segments, targetDuration: 6, initName: "init.mp4", fileName: SamplePresentation.fileName)
                    == """
                    #EXTM3U
                    #EXT-X-VERSION:7
                    #EXT-X-TARGETDURATION:6
                    #EXT-X-MEDIA-SEQUENCE:1
                    #EXT-X-PLAYLIST-TYPE:VOD
                    #EXT-X-INDEPENDENT-SEGMENTS
                    #EXT-X-MAP:URI="init.mp4"
                    #EXTINF:6.006000,
                    00001.m4s
                    #EXTINF:6.006000,
                    00002.m4s
                    #EXTINF:2.002000,
                    00003.m4s
                    #EXT-X-ENDLIST

                    """)
    }

    @Test func segmentsOfOneFileAreByteRanges() {
        let segments = SamplePresentation.hd.segments
        let file = SingleFile(
            key: "video/1080p/media.mp4", initBytes: 800, indexBytes: 68,
            segments: [868..<3_003_844, 3_003_844..<4_505_320, 4_505_320..<4_755_546], typeBytes: [24, 24, 24])
        let text = HLSPlaylist.media(
            segments: segments, targetDuration: 6, initName: "media.mp4", file: file
        ) { _ in "media.mp4" }
        #expect(text.contains("#EXT-X-MAP:URI=\"media.mp4\",BYTERANGE=\"800@0\"\n"))
        #expect(text.contains("#EXTINF:6.006000,\n#EXT-X-BYTERANGE:1501476@3003844\nmedia.mp4\n"))
        let iframes = HLSPlaylist.iframes(segments: segments, initName: "media.mp4", file: file) { _ in "media.mp4" }
        // The second key frame of the first segment is at 100000 in a file of its own, which has a type of 24 bytes.
        #expect(iframes.contains("#EXT-X-BYTERANGE:50050@100844\nmedia.mp4\n"))
    }

    @Test func iframePlaylistListsEachKeyFrameAsAByteRange() {
        let segments = Array(SamplePresentation.hd.segments.suffix(2))
        #expect(
            HLSPlaylist.iframes(segments: segments, initName: "init.mp4", fileName: SamplePresentation.fileName) == """
                #EXTM3U
                #EXT-X-VERSION:7
                #EXT-X-TARGETDURATION:2
                #EXT-X-MEDIA-SEQUENCE:1
                #EXT-X-PLAYLIST-TYPE:VOD
                #EXT-X-I-FRAMES-ONLY
                #EXT-X-MAP:URI="init.mp4"
                #EXTINF:2.002000,
                #EXT-X-BYTERANGE:50050@0
                00001.m4s
                #EXTINF:2.002000,
                #EXT-X-BYTERANGE:50050@100000
                00001.m4s
                #EXTINF:2.002000,
                #EXT-X-BYTERANGE:50050@200000
                00001.m4s
                #EXTINF:2.002000,
                #EXT-X-BYTERANGE:50050@0
                00002.m4s
                #EXT-X-ENDLIST

                """)
    }

    @Test(arguments: [Rational(1, 3), Rational(1001, 30000) * Rational(7), Rational(288_768, 48_000), Rational(2, 7)])
    func printedDurationsAddUpToTheExactSum(duration: Rational) throws {
        let segments = Array(repeating: MeasuredSegment(duration: duration, bytes: 1), count: 1000)
        let text = HLSPlaylist.media(segments: segments, targetDuration: 6, initName: "init.mp4") { "\($0).m4s" }
        let playlist = try HLSParser.media(text.utf8)
        var exact = Rational.zero
        var printed = Rational.zero
        for segment in playlist.segments {
            exact = exact + duration
            printed = printed + segment.duration
            let error = printed - exact
            #expect(max(error, .zero - error) <= Rational(1, 2_000_000))
        }
        #expect(playlist.segments.count == 1000)
    }

    @Test func targetDurationIsSharedAndRoundedToTheNearestSecond() {
        func target(video: Rational, audio: Rational) -> Int {
            var presentation = SamplePresentation.make(video: [SamplePresentation.hd])
            presentation.video[0].segments = [MeasuredSegment(duration: video, bytes: 1)]
            presentation.audio[0].segments = [MeasuredSegment(duration: audio, bytes: 1)]
            return HLSPlaylist.targetDuration(of: presentation)
        }
        #expect(HLSPlaylist.targetDuration(of: SamplePresentation.make()) == 6)
        #expect(target(video: Rational(1, 24), audio: Rational(1, 48)) == 1)
        #expect(target(video: Rational(6), audio: Rational(13, 2)) == 7)
        #expect(target(video: Rational(6), audio: Rational(6_499_000, 1_000_000)) == 6)
        // Printed as 6.500000, which a player rounds to 7.
        #expect(target(video: Rational(64_999_999, 10_000_000), audio: Rational(6)) == 7)
        #expect(HLSPlaylist.targetDuration(of: SamplePresentation.make(video: [], audio: [])) == 1)
    }

    @Test func aShortLastSegmentDoesNotDetermineThePeakRate() {
        let segments = [
            MeasuredSegment(duration: Rational(6), bytes: 750_000),
            MeasuredSegment(duration: Rational(1, 25), bytes: 50_000),
        ]
        #expect(HLSPlaylist.peakRate(of: segments, targetDuration: 6) == 1_059_603)
        #expect(HLSPlaylist.peakRate(of: [segments[1]], targetDuration: 6) == 10_000_000)
        #expect(HLSPlaylist.peakRate(of: [], targetDuration: 6) == 0)
    }

    @Test func aSingleShortSegmentMakesValidPlaylists() throws {
        var rendition = SamplePresentation.hd
        rendition.segments = [
            MeasuredSegment(
                duration: Rational(1001, 24000), bytes: 5000,
                keyFrames: [KeyFrameRange(offset: 24, length: 4900, duration: Rational(1001, 24000))])
        ]
        let master = try HLSParser.master(
            HLSPlaylist.master(SamplePresentation.make(video: [rendition], audio: [])).utf8)
        #expect(master.variants.map(\.bandwidth) == [959_041])
        let playlist = try HLSParser.media(
            HLSPlaylist.media(
                segments: rendition.segments, targetDuration: 1, initName: "init.mp4",
                fileName: SamplePresentation.fileName
            )
            .utf8)
        #expect(playlist.segments.map(\.durationText) == ["0.041708"])
    }

    @Test func renditionWithoutMeasuredKeyFramesHasNoIFrameStream() {
        var rendition = SamplePresentation.hd
        for index in rendition.segments.indices { rendition.segments[index].keyFrames = [] }
        #expect(!HLSPlaylist.master(SamplePresentation.make(video: [rendition])).contains("I-FRAME"))
    }
}
