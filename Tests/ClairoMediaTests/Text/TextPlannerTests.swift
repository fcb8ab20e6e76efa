import ClairoCore
import Foundation
import Testing

@testable import ClairoMedia

@Suite struct TextPlannerTests {
    private static func plan(
        _ streams: [SubtitleStream], files: [SubtitleFile] = [], settings: TranscodeSettings = TranscodeSettings()
    ) -> [TextPlan] {
        TextPlanner.plan(
            streams, audioLanguage: "fra", files: files, boundaries: [Rational(2), Rational(4)], duration: Rational(5),
            settings: settings)
    }

    @Test func eachTextIsATrackWithItsOwnId() {
        let tracks = Self.plan([
            SubtitleStream(index: 2, codec: "subrip", language: "eng", isDefault: true, isUsed: true),
            SubtitleStream(index: 3, codec: "subrip", language: "eng", role: .captions, isUsed: true),
            SubtitleStream(index: 4, codec: "ass", language: "eng", title: "Signs", isDefault: true, isUsed: true),
            SubtitleStream(index: 5, codec: "ass", language: "deu", role: .forced, isDefault: true, isUsed: true),
            SubtitleStream(index: 6, codec: "hdmv_pgs_subtitle", language: "eng"),
            SubtitleStream(
                index: 0, codec: "eia_608", language: nil, role: .captions, service: .cea608(channel: 1), isUsed: true),
        ])
        #expect(tracks.map(\.id) == ["eng", "eng-sdh", "eng_2", "deu-forced", "fra-sdh"])
        #expect(tracks.map(\.isDefault) == [true, false, false, false, false])
        #expect(tracks.map(\.title) == [nil, nil, "Signs", nil, "CC1"])
        #expect(tracks.last?.source == .captions(stream: 0, service: .cea608(channel: 1)))
        #expect(tracks.allSatisfy { $0.segmentCount == 3 && $0.times(ofSegment: 2) == Rational(4)..<Rational(5) })
        #expect(
            tracks.first?.objectKeys.map(\.rawValue) == [
                "text/eng/00001.vtt", "text/eng/00002.vtt", "text/eng/00003.vtt", "text/eng.vtt",
            ])
    }

    @Test func filesComeFirstAndAreKeptWithoutTheSourcesText() {
        let files = [
            SubtitleFile(name: "a.srt", content: Data("a".utf8), language: "pt-BR", role: .forced),
            SubtitleFile(name: "b.srt", content: Data("b".utf8)),
        ]
        var settings = TranscodeSettings()
        settings.subtitles = "none"
        let tracks = Self.plan(
            [SubtitleStream(index: 2, codec: "subrip", language: "eng", isUsed: true)], files: files, settings: settings
        )
        #expect(tracks.map(\.id) == ["pt-br-forced", "und"])
        #expect(tracks.map(\.language) == ["pt-BR", "und"])
        #expect(tracks.map(\.title) == [nil, "b.srt"])
        #expect(tracks.first?.source == files[0].source)
    }

    @Test func aLaterAttemptHasNamesOfItsOwn() throws {
        var track = try #require(
            Self.plan([SubtitleStream(index: 2, codec: "subrip", language: "eng", isUsed: true)]).first)
        track.laterAttempt = 2
        #expect(track.objectKeys.last == "text/eng-2.vtt")
        #expect(track.objectKeys.first == "text/eng/00001-2.vtt")
    }
}
