import ClairoCore
import Testing

@testable import ClairoMedia

/// Which audio renditions are made of which tracks.
@Suite struct AudioPlannerTests {
    private static func stream(
        _ index: Int, _ language: String? = "eng", channels: Int = 2, layout: String = "stereo", title: String? = nil,
        role: TrackRole? = nil
    ) -> AudioStream {
        AudioStream(
            index: index, codec: "aac", profile: nil, channels: channels, layout: layout, sampleRate: 48_000,
            bitRate: 1000, start: 0, end: 10, language: language, title: title, isDefault: false, role: role,
            canDecode: true)
    }

    private static func planner(
        _ streams: [AudioStream], audio: [AudioFormat]? = nil, languages: [String]? = nil, pairs: [Int: Int] = [:]
    ) -> AudioPlanner {
        let info = MediaInfo(
            container: "matroska,webm", containerName: "Matroska", size: 1, duration: 10, declaredDuration: nil,
            bitRate: 1, video: [], audio: streams, subtitles: [], otherStreams: [], selectedVideo: nil,
            selectedAudio: streams.map(\.index), truncation: nil, isSeekable: true, warnings: [])
        var settings = TranscodeSettings()
        settings.audio = audio
        settings.audioLanguages = languages
        return AudioPlanner(info, pairs: pairs, settings: settings)
    }

    private static func plan(_ planner: AudioPlanner, sides: [Int] = []) -> [AudioPlan] {
        let rungs = sides.map {
            Rung(id: "\($0)p", size: FrameSize(width: $0 * 2, height: $0), maxRate: 1, bufferSize: 1)
        }
        return planner.plan(
            rungs: rungs, length: Rational(10), origin: .zero, boundaries: [Rational(6)], slack: Rational(1, 10))
    }

    private static let surround = stream(1, channels: 6, layout: "5.1(side)")

    @Test func stereoBecomesAAC() throws {
        let tracks = Self.plan(Self.planner([Self.stream(1, title: "Film")]))
        let track = try #require(tracks.first)
        #expect(tracks.count == 1 && track.id == "eng-aac-128k" && track.channels == 2 && track.bitRate == 128_000)
        #expect(track.title == "Film" && track.role == nil && track.sampleCount == 480_000)
        #expect(Self.plan(Self.planner([Self.stream(1, channels: 1)])).map(\.id) == ["eng-aac-64k"])
    }

    @Test func smallRungsHaveAudioOfALowerRate() {
        let planner = Self.planner([Self.stream(1)])
        #expect(Self.plan(planner, sides: [720, 360]).map(\.id) == ["eng-aac-128k", "eng-aac-64k"])
        #expect(Self.plan(planner, sides: [1080, 720]).map(\.id) == ["eng-aac-128k"])
        // Nothing to switch down from.
        #expect(Self.plan(planner, sides: [180]).map(\.id) == ["eng-aac-128k"])
    }

    @Test func surroundSoundKeepsItsChannels() {
        let tracks = Self.plan(Self.planner([Self.surround]))
        #expect(tracks.map(\.id) == ["eng-aac-128k", "eng-aac-5.1-320k"] && tracks.map(\.channels) == [2, 6])
        let all = Self.plan(Self.planner([Self.surround], audio: AudioFormat.allCases))
        #expect(
            all.map(\.id) == [
                "eng-aac-128k", "eng-aac-5.1-320k", "eng-eac3-5.1-384k", "eng-ac3-5.1-448k", "eng-opus-96k",
            ])
    }

    @Test func stereoAndSurroundSoundOfALanguageAreOneTrack() {
        let streams = [Self.stream(0), Self.surround, Self.stream(2, "fra")]
        func tracks(_ audio: [AudioFormat]?) -> [String] {
            Self.plan(Self.planner(streams, audio: audio)).map { "\($0.streamIndex) \($0.id)" }
        }
        #expect(tracks(nil) == ["0 eng-aac-128k", "1 eng-aac-5.1-320k", "2 fra-aac-128k"])
        #expect(tracks([.aac]) == ["0 eng-aac-128k", "2 fra-aac-128k"])
        #expect(tracks([.eac351]) == ["1 eng-eac3-5.1-384k", "2 fra-aac-128k"])
    }

    @Test(arguments: [("ambisonic 2", 9), ("12 channels", 12), ("quad", 4)])
    func otherLayoutsBecomeStereo(layout: String, channels: Int) {
        #expect(Self.plan(Self.planner([Self.stream(1, channels: channels, layout: layout)])).map(\.channels) == [2])
    }

    @Test func surroundThatTheSourceDoesNotHaveIsReplacedWithAWarning() {
        let planner = Self.planner([Self.stream(1)], audio: [.eac351])
        #expect(Self.plan(planner).map(\.id) == ["eng-aac-128k"])
        #expect(planner.warnings.map(\.code) == [.audioUnavailable])
        #expect(Self.planner([Self.surround], audio: [.eac351]).warnings.isEmpty)
    }

    @Test func languagesAreSelectedByTwoOrThreeLetters() {
        let streams = [Self.stream(1, "eng"), Self.stream(2, "fra"), Self.stream(3, "deu"), Self.stream(4, nil)]
        func ids(_ languages: [String]) -> [String] {
            Self.plan(Self.planner(streams, languages: languages)).map(\.id)
        }
        #expect(ids(["de", "eng"]) == ["eng-aac-128k", "deu-aac-128k"])
        let some = Self.planner(streams, languages: ["fra", "jpn"])
        #expect(Self.plan(some).map(\.id) == ["fra-aac-128k"] && some.warnings.map(\.code) == [.audioUnavailable])
        // A video without sound would be worse than one in another language.
        let none = Self.planner(streams, languages: ["jpn"])
        #expect(Self.plan(none).count == 4 && none.warnings.map(\.code) == [.audioUnavailable])
    }

    @Test func tracksOfOneLanguageAndRoleHaveNumbers() {
        let streams = [
            Self.stream(1), Self.stream(2, role: .commentary), Self.stream(3, role: .commentary),
            Self.stream(4, role: .description), Self.stream(5, "fra", role: .commentary),
        ]
        let tracks = Self.plan(Self.planner(streams))
        #expect(
            tracks.map(\.id) == [
                "eng-aac-128k", "eng-commentary-aac-128k", "eng-commentary-2-aac-128k", "eng-description-aac-128k",
                "fra-commentary-aac-128k",
            ])
        #expect(tracks.map(\.role) == [nil, .commentary, .commentary, .description, .commentary])
    }

    @Test func aPairOfMonoTracksIsOneTrack() {
        let streams = [
            Self.stream(1, channels: 1, title: "Left"), Self.stream(2, channels: 1, title: "Right"),
        ]
        let tracks = Self.plan(Self.planner(streams, pairs: [1: 2]))
        #expect(tracks.map(\.channels) == [2] && tracks.first?.pairedStreamIndex == 2 && tracks.first?.title == nil)
    }

    @Test func veryManyTracksAreMadeInOneFormatAndBounded() {
        let streams = (0..<70).map { Self.stream($0, role: .commentary) }
        let planner = Self.planner(streams)
        #expect(Self.plan(planner, sides: [720, 360]).count == 64)
        #expect(planner.warnings.first?.message.contains("6 of them are left out") == true)
    }
}
