import ClairoCore
import Foundation
import Testing

@testable import ClairoMedia

@Suite struct WebVTTTests {
    @Test(
        arguments: [
            (0, "00:00:00.000"), (3_723_004, "01:02:03.004"), (360_000_000, "100:00:00.000"),
        ] as [(Int64, String)])
    func timesHaveHours(milliseconds: Int64, text: String) {
        #expect(WebVTT.timestamp(milliseconds) == text)
    }

    @Test(
        arguments: [
            ("1:02:03.450", 3_723_450), ("02:03,45", 123_450), ("-0:00:01.000", -1000), ("00:00:01", 1000),
            ("00:00:01.1239", 1123), ("1.5", nil), ("a:00", nil), ("99999999:00:00", nil), ("", nil), ("1:2:3:4", nil),
        ] as [(String, Int64?)])
    func timesOfManyWritersAreRead(text: String, milliseconds: Int64?) {
        #expect(CueTiming.time(text) == milliseconds)
    }

    @Test func aFileIsReadAsPlayersReadIt() throws {
        let text =
            "\u{FEFF}WEBVTT - title\r\nKind: captions\r\n\r\nNOTE a comment\r\nwith lines\r\n\r\n"
            + "STYLE\r\n::cue { color: red }\r\n\r\nintro\r\n"
            + "00:01.000 --> 00:02.500 line:10% align:left region:r1 size:200% bogus\r\n"
            + "<v Ann><i>Hi</i> &amp; <b>you</b>\r\nline two\r\n\r\n"
            + "no times\r\n\r\n01:00:00.000 --> 01:00:01.000\r\nlate\r\n"
        #expect(
            WebVTT.cues(text) == [
                Cue(
                    start: 1000, end: 2500, settings: "line:10% align:left",
                    text: "<v Ann><i>Hi</i> &amp; <b>you</b>\nline two"),
                Cue(start: 3_600_000, end: 3_601_000, text: "late"),
            ])
        #expect(WebVTT.cues("1\n00:00:01,000 --> 00:00:02,000\nSubRip\n") == nil)
        #expect(WebVTT.cues("WEBVTTX\n") == nil)
        #expect(WebVTT.cues("WEBVTT") == [])
    }

    @Test(arguments: [
        ("line:0 position:50%,line-left size:33.3%", "line:0 position:50%,line-left size:33.3%"),
        ("line:-1 align:start vertical:rl", "line:-1 align:start vertical:rl"),
        ("line:101% position:12 align:top vertical:up line: :5 size:1e1%", ""),
        ("\tline:50%,center\t", "line:50%,center"),
    ])
    func onlyValidSettingsAreKept(given: String, kept: String) {
        #expect(WebVTT.settings(given) == kept)
    }

    @Test func whatIsWrittenIsReadBack() throws {
        let cues = [
            Cue(start: 0, end: 1, text: "&lt;a&gt;"),
            Cue(start: 500, end: 7_200_000, settings: "line:0%", text: "b\nc"),
        ]
        let file = WebVTT.file(cues)
        #expect(
            String(decoding: file, as: UTF8.self)
                == "WEBVTT\n\n00:00:00.000 --> 00:00:00.001\n&lt;a&gt;\n\n"
                + "00:00:00.500 --> 02:00:00.000 line:0%\nb\nc\n")
        #expect(WebVTT.cues(String(decoding: file, as: UTF8.self)) == cues)
    }

    @Test func nothingInATextEndsItsCue() {
        #expect(WebVTT.cueText(["a --> b", "", " \u{A0}", "c"]) == "a --&gt; b\nc")
    }

    // MARK: Lists

    @Test func cuesAreSortedAndCutToTheOutput() {
        let list = CueList(
            [
                Cue(start: 5000, end: 6000, text: "b"), Cue(start: 1000, end: 5500, text: "a"),
                Cue(start: -500, end: 300, text: "n"), Cue(start: 1000, end: 5500, text: "a"),
                Cue(start: 9000, end: 9000, text: "z"), Cue(start: 6000, end: 5000, text: "y"),
                Cue(start: 20_000, end: 21_000, text: "o"), Cue(start: -9, end: -1, text: "m"),
                Cue(start: 7900, end: 9000, text: "e"), Cue(start: 1, end: 2, text: ""),
            ], duration: 8000)
        #expect(
            list.cues == [
                Cue(start: 0, end: 300, text: "n"), Cue(start: 1000, end: 5500, text: "a"),
                Cue(start: 5000, end: 6000, text: "b"), Cue(start: 7900, end: 8000, text: "e"),
            ])
        #expect(list.withoutDuration == 2)
        #expect(list.outside == 2)
        let warnings = list.warnings(track: "text track eng")
        #expect(warnings.map(\.code) == [.textChanged, .textChanged])
        #expect(warnings.first?.message.hasPrefix("text track eng: 2 cues were left out") == true)
    }

    // MARK: Segments

    private static let track = TextPlan(
        id: "eng", source: .stream(index: 2), language: "eng", duration: Rational(6),
        segmentBoundaries: [Rational(2), Rational(4)])

    private static let cues = [
        Cue(start: 0, end: 1000, text: "a"), Cue(start: 1500, end: 4500, text: "b"),
        Cue(start: 2000, end: 4000, text: "c"), Cue(start: 5999, end: 6000, text: "d"),
    ]

    @Test func aSegmentHasEveryCueThatIsShownInIt() {
        let text = TextSegments(Self.cues, of: Self.track)
        #expect(!text.isCut)
        let read = text.segments.map { WebVTT.cues(String(decoding: $0, as: UTF8.self))?.map(\.text) }
        #expect(read == [["a", "b"], ["b", "c"], ["b", "d"]])
        #expect(
            text.segments.count == 3
                && String(decoding: text.segments[1], as: UTF8.self)
                    == "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n\n00:00:01.500 --> 00:00:04.500\nb\n\n"
                    + "00:00:02.000 --> 00:00:04.000\nc\n"
        )
    }

    @Test func segmentsWithoutCuesExist() {
        let text = TextSegments([], of: Self.track)
        #expect(String(decoding: text.whole, as: UTF8.self) == "WEBVTT\n")
        #expect(text.segments.count == 3)
        #expect(TextSegments.problem(of: Self.track, whole: text.whole) { text.segments[$0] } == nil)
    }

    /// Each way in which a track may be damaged, with a part of the problem that must be found.
    @Test(arguments: [
        ("removed", "text/eng/00002.vtt is missing"), ("swapped", "text/eng/00001.vtt has other cues"),
        ("truncated", "text/eng/00002.vtt has other cues"), ("corrupted", "text/eng/00003.vtt has other cues"),
        ("whole truncated", "text/eng.vtt is damaged"), ("whole shortened", "text/eng/00003.vtt has other cues"),
        ("whole replaced", "text/eng.vtt is not WebVTT"), ("unordered", "are not in order"),
        ("too long", "are not in order"),
    ])
    func damageIsFound(damage: String, problem: String) throws {
        let text = TextSegments(Self.cues, of: Self.track)
        var whole = text.whole
        var segments: [Data?] = text.segments
        switch damage {
        case "removed": segments[1] = nil
        case "swapped": segments.swapAt(0, 1)
        case "truncated": segments[1] = segments[1]?.dropLast(20)
        case "corrupted": segments[2] = segments[2].map { $0.dropLast(2) + Data("x\n".utf8) }
        case "whole truncated": whole = whole.dropLast(1)
        case "whole shortened": whole = WebVTT.file(Self.cues.dropLast())
        case "whole replaced": whole = Data("<html>".utf8)
        case "unordered": whole = WebVTT.file(Self.cues.reversed())
        default: whole = WebVTT.file(Self.cues + [Cue(start: 5999, end: 6001, text: "e")])
        }
        let found = TextSegments.problem(of: Self.track, whole: whole) { segments[$0] }
        #expect(found?.contains(problem) == true, "\(found ?? "nothing was found")")
        #expect(TextSegments.problem(of: Self.track, whole: text.whole) { text.segments[$0] } == nil)
    }
}
