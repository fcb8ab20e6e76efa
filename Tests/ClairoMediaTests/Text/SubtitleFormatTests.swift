import ClairoCore
import Foundation
import Testing

@testable import ClairoMedia

/// What each format of subtitles becomes.
@Suite struct SubtitleFormatTests {
    // MARK: SubRip

    @Test func subRipIsReadInItsVariants() {
        let text =
            "\u{FEFF}1\r\n00:00:01,000 --> 00:00:02,500 X1:10 X2:20\r\n<I>Hello</I> & <b>world</b>\r\n\r\n"
            + "2\r\n00:00:02,000-->00:00:08,000\r\n{\\an8}Two\r\n\r\nlines <3\r\n\r\n"
            + "7\r\n0:0:9,5 --> 0:0:9,5\r\nnever\r\n"
        #expect(
            SubRip.cues(text) == [
                Cue(start: 1000, end: 2500, text: "<i>Hello</i> &amp; <b>world</b>"),
                Cue(start: 2000, end: 8000, settings: "line:0%", text: "Two\nlines &lt;3"),
                Cue(start: 9500, end: 9500, text: "never"),
            ])
        #expect(SubRip.cues("no times\n") == nil)
    }

    @Test(arguments: [
        ("<i>a<b>b</i>c</b>d", "<i>a<b>b</b></i><b>c</b>d"), ("<i>not closed", "<i>not closed</i>"),
        ("closed twice</i></i>", "closed twice"), ("<laughs> <3 > 2", "&lt;laughs&gt; &lt;3 &gt; 2"),
        ("<font color=\"#ff0000\">x</font> &lt;y&gt; &#233; &bogus;", "x &lt;y&gt; é &amp;bogus;"),
        ("{\\i1}a{\\i0} {not a code}", "<i>a</i> {not a code}"), ("a<br/>b\\Nc", "a\nb\nc"),
        ("  <i> </i> \n\n <u>x</u>  ", "<u>x</u>"), ("<b><i>a</i>\nb</b>", "<b><i>a</i>\nb</b>"),
        ("a --> b", "a --&gt; b"), ("", ""),
    ])
    func tagsOfSubRipBecomeTagsOfWebVTT(text: String, markup: String) {
        #expect(SubRip.cue(text, from: 0, to: 1).text == markup)
    }

    @Test func aTextOfTagsTakesNoTimeAndIsBounded() {
        let text = SubRip.cue(String(repeating: "<", count: 200_000), from: 0, to: 1).text
        #expect(text == String(repeating: "&lt;", count: StyledText.longest))
    }

    // MARK: SubStation Alpha

    private static let header = """
        [Script Info]
        PlayResX: 640
        PlayResY: 360

        [V4+ Styles]
        Format: Name, Fontname, Fontsize, PrimaryColour, Bold, Italic, Underline, Alignment, MarginV
        Style: Default,Arial,20,&H00FFFFFF,0,0,0,2,10
        Style: Sign,Arial,20,&H00FFFFFF,-1,0,0,7,10
        Style: damaged

        """

    @Test func stylesAndOverridesAreReduced() throws {
        let events = """
            [Events]
            Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
            Comment: 0,0:00:00.00,0:00:09.00,Default,,0,0,0,,not shown
            Dialogue: 0,0:00:01.00,0:00:02.50,Default,,0,0,0,,Hello{\\i1} there{\\i0}, {note}you\\Nand\\hyou
            Dialogue: 0,0:00:03.00,0:00:04.00,Sign,,0,0,0,,{\\pos(320,90)}EXIT{\\r} x
            Dialogue: 0,0:00:05.00,0:00:06.00,Default,,0,0,0,,{\\p1}m 0 0 l 10 10{\\p0}
            Dialogue: 0,0:00:05.00,0:00:06.00,Unknown,,0,0,0,,{\\an9\\t(0,500,\\i1\\fscx120)}top, right
            Dialogue: 0,0:00:07.00,0:00:08.00,Default,,0,0,0,,{\\bord2\\b700}a{\\b0}b{\\u1}c{\\u0\\iclip(1,2,3,4)}d
            Dialogue: too few
            Dialogue: 0,no,time,Default,,0,0,0,,x

            """
        let cues = try #require(SubStationAlpha.cues(Self.header + events))
        #expect(
            cues == [
                Cue(start: 1000, end: 2500, text: "Hello<i> there</i>, you\nand\u{A0}you"),
                Cue(start: 3000, end: 4000, settings: "line:25% position:50% align:left", text: "<b>EXIT x</b>"),
                Cue(start: 5000, end: 6000, text: ""),
                Cue(start: 5000, end: 6000, settings: "line:0% align:right", text: "top, right"),
                Cue(start: 7000, end: 8000, text: "<b>a</b>b<u>c</u>d"),
            ])
        #expect(SubStationAlpha.cues(Self.header) == nil)
    }

    @Test func packetsOfMatroskaHaveTheStylesOfTheHeader() {
        let script = SubStationAlpha(header: Self.header)
        #expect(
            script.cue(packet: "0,0,Sign,,0,0,0,,A,B", from: 1, to: 2)
                == Cue(start: 1, end: 2, settings: "line:0% align:left", text: "<b>A,B</b>"))
        #expect(script.cue(packet: "0,0", from: 1, to: 2) == nil)
    }

    @Test func theOldFormatHasOtherPlaces() {
        let script = SubStationAlpha(
            header: "[V4 Styles]\nFormat: Name, Alignment\nStyle: Default,6\nStyle: Middle,11\n")
        #expect(script.cue(packet: "0,0,Default,,0,0,0,,a", from: 0, to: 1)?.settings == "line:0%")
        #expect(
            script.cue(packet: "0,0,Middle,,0,0,0,,a\\Nb", from: 0, to: 1)?.settings == "line:44.67% align:right")
        #expect(script.cue(packet: "0,0,Default,,0,0,0,,{\\a1}a", from: 0, to: 1)?.settings == "align:left")
    }

    // MARK: MP4

    private static func bytes(_ hexadecimal: String) -> Data {
        let digits = hexadecimal.filter { $0 != " " }.map { UInt8($0.hexDigitValue ?? 0) }
        return Data(stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] })
    }

    private static func box(_ type: String, _ payload: Data) -> Data {
        let size = UInt32(payload.count + 8)
        return Data((0..<4).map { UInt8(truncatingIfNeeded: size >> (24 - 8 * $0)) }) + Data(type.utf8) + payload
    }

    private static func utf8(_ data: Data) -> String { String(decoding: data, as: UTF8.self) }

    @Test func timedTextHasItsStyles() {
        let styles = Self.bytes("0002 0000 0005 0001 02 10 ffffffff 0008 000d 0001 01 10 ffffffff")
        let sample = Self.bytes("000d") + Data("Hello & world".utf8) + Self.box("styl", styles)
        #expect(
            MovText.cue(sample, from: 1, to: 2, decode: Self.utf8)
                == Cue(start: 1, end: 2, text: "<i>Hello</i> &amp; <b>world</b>"))
    }

    @Test(arguments: [
        "", "00", "0000", "0005 41", "0001 20",
    ])
    func timedTextWithoutTextIsNoCue(sample: String) {
        #expect(MovText.cue(Self.bytes(sample), from: 1, to: 2, decode: Self.utf8) == nil)
    }

    @Test func timedTextWithWrongStylesKeepsItsText() {
        let styles = Self.bytes("00ff 0003 ffff 0001 02 10 ffffffff")
        let sample = Self.bytes("0004") + Data("abcd".utf8) + Self.box("styl", styles) + Self.bytes("0000 0001")
        #expect(MovText.cue(sample, from: 1, to: 2, decode: Self.utf8)?.text == "abc<i>d</i>")
    }

    @Test func samplesOfWebVTTAreJoinedToTheirCues() {
        func cue(_ text: String, _ settings: String) -> Data {
            Self.box(
                "vttc",
                Self.box("iden", Data("1".utf8)) + Self.box("sttg", Data(settings.utf8))
                    + Self.box("payl", Data(text.utf8)))
        }
        let (long, short) = (cue("<i>long</i>", "line:10% region:x"), cue("short\r\n\r\ntwo", ""))
        let samples = [(0, long), (1, long + short), (2, Self.box("vtte", Data())), (3, long)]
        let cues = samples.flatMap { second, data in
            WebVTTSample.cues(data, from: Int64(second), to: Int64(second + 1), decode: Self.utf8)
        }
        #expect(
            WebVTTSample.joined(cues) == [
                Cue(start: 0, end: 2, settings: "line:10%", text: "<i>long</i>"),
                Cue(start: 1, end: 2, text: "short\ntwo"),
                Cue(start: 3, end: 4, settings: "line:10%", text: "<i>long</i>"),
            ])
    }

    // MARK: Character sets

    @Test(
        arguments: [
            ("eng", [0x63, 0x61, 0x66, 0xC3, 0xA9], "café", nil),
            ("eng", [0x63, 0x61, 0x66, 0xE9], "café", "Windows-1252"),
            ("rus", [0xCF, 0xF0, 0xE8, 0xE2, 0xE5, 0xF2], "Привет", "Windows-1251"),
            ("pl", [0xB3, 0xF3, 0x64, 0x9F], "łódź", "Windows-1250"),
            ("jpn", [0x82, 0xB1, 0x82, 0xF1], "こん", "Shift_JIS"),
            ("zh-Hans", [0xC4, 0xE3, 0xBA, 0xC3], "你好", "GB18030"), ("und", [0x61, 0x81], "a\u{FFFD}", "Windows-1252"),
            ("eng", [0xFF, 0xFE, 0x41, 0x00, 0xE9, 0x00], "Aé", nil), ("eng", [0xFE, 0xFF, 0x00, 0x41], "A", nil),
        ] as [(String, [UInt8], String, String?)])
    func textIsConvertedFromTheSetOfItsLanguage(language: String, bytes: [UInt8], text: String, guessed: String?) {
        var decoder = TrackText(language: language)
        #expect(decoder.decode(Data(bytes)) == text)
        #expect(decoder.guessed?.name == guessed)
    }

    @Test func aFileTellsItsFormatItself() throws {
        func texts(_ content: String) throws -> [String] {
            try SubtitleFileReader.cues(SubtitleFile(name: "a.txt", content: Data(content.utf8))).cues.map(\.text)
        }
        #expect(try texts("WEBVTT\n\n00:01.000 --> 00:02.000\nv\n") == ["v"])
        #expect(try texts("1\n00:00:01,000 --> 00:00:02,000\ns\n") == ["s"])
        #expect(
            try texts(
                "[Events]\nFormat: Start, End, Text\nDialogue: 0:00:01.00,0:00:02.00,a\n") == ["a"])
        #expect(throws: ClairoError.self) { try texts("%PDF-1.4") }
    }
}
