import ClairoCore
import ClairoTestSupport
import Foundation
import Libav
import Testing

@testable import ClairoMedia

@Suite struct TrackSelectionTests {
    private static func video(
        _ index: Int, width: Int = 640, height: Int = 360, frames: Int = 100, isAttachedPicture: Bool = false,
        canDecode: Bool = true
    ) -> VideoStream {
        let size = FrameSize(width: width, height: height)
        return VideoStream(
            index: index, codec: "h264", profile: nil, pixelFormat: "yuv420p", bitDepth: 8, codedSize: size,
            sampleAspectRatio: Rational(1), orientation: .upright, displaySize: size, frameRate: Rational(25),
            isVariableFrameRate: false, isInterlaced: false, color: .unspecified, dynamicRange: .sdr,
            frameCount: frames, bitRate: 1000, start: 0, end: 4, keyFrameCount: 1, language: nil,
            isAttachedPicture: isAttachedPicture, canDecode: canDecode)
    }

    private static func audio(
        _ index: Int, _ codec: String = "aac", channels: Int = 2, language: String? = nil, isDefault: Bool = false,
        end: Double = 4, canDecode: Bool = true, layout: String = "", title: String? = nil, sampleRate: Int = 48_000,
        role: TrackRole? = nil
    ) -> AudioStream {
        AudioStream(
            index: index, codec: codec, profile: nil, channels: channels, layout: layout, sampleRate: sampleRate,
            bitRate: 1000, start: 0, end: end, language: language, title: title, isDefault: isDefault,
            role: role, canDecode: canDecode)
    }

    private static func mono(
        _ index: Int, _ codec: String = "pcm_s24le", layout: String = "1 channels", language: String? = nil,
        title: String? = nil, isDefault: Bool = false, end: Double = 4, sampleRate: Int = 48_000
    ) -> AudioStream {
        audio(
            index, codec, channels: 1, language: language, isDefault: isDefault, end: end, layout: layout,
            title: title, sampleRate: sampleRate)
    }

    private static func choose(
        _ video: [VideoStream], _ audio: [AudioStream], _ subtitles: [SubtitleStream] = [],
        programs: [Int: [Int]] = [:]
    ) -> TrackSelection.Choice {
        TrackSelection.choose(video: video, audio: audio, subtitles: subtitles, programs: programs)
    }

    /// Whether there is one warning about a stream, with these words.
    private static func warns(_ choice: TrackSelection.Choice, _ stream: String, _ words: String) -> Bool {
        let found = choice.warnings.filter { $0.message.hasPrefix("\(stream) (") }
        return found.count == 1 && found[0].code == .trackUnused && found[0].message.contains(words)
    }

    @Test func everythingUsedGivesNoWarning() {
        let choice = Self.choose(
            [Self.video(0)], [Self.audio(1, language: "eng"), Self.audio(2, language: "deu", isDefault: true)])
        #expect(choice == TrackSelection.Choice(video: 0, audio: [2, 1], warnings: []))
    }

    @Test func theLargestVideoIsUsedAndNoCoverImage() {
        let choice = Self.choose(
            [
                Self.video(0), Self.video(1, width: 1280, height: 720),
                Self.video(2, width: 3000, height: 3000, frames: 1, isAttachedPicture: true),
                Self.video(3, width: 1920, height: 1080, canDecode: false), Self.video(4, frames: 0),
            ], [])
        #expect(choice.video == 1)
        #expect(choice.warnings.count == 3)
        #expect(Self.warns(choice, "video stream 0", "stream 1 is larger"))
        #expect(Self.warns(choice, "video stream 3", "does not decode its codec"))
        #expect(Self.warns(choice, "video stream 4", "no frames"))
    }

    @Test func videoAndAudioAreOfTheSameProgramme() {
        let choice = Self.choose(
            [Self.video(0, width: 320, height: 180), Self.video(2)],
            [Self.audio(1, "ac3", channels: 6, language: "eng"), Self.audio(3, "ac3", language: "deu")],
            programs: [0: [1], 1: [1], 2: [2], 3: [2]])
        #expect(choice.video == 2 && choice.audio == [3])
        #expect(choice.warnings.count == 2)
        #expect(Self.warns(choice, "video stream 0", "another programme"))
        #expect(Self.warns(choice, "audio stream 1", "not of the same programme"))
    }

    @Test func audioOfNoProgrammeIsUsedOnlyIfTheProgrammeHasNone() {
        let alone = Self.choose([Self.video(0)], [Self.audio(1)], programs: [0: [1]])
        #expect(alone.audio == [1] && alone.warnings.isEmpty)
        let other = Self.choose([Self.video(0)], [Self.audio(1), Self.audio(2)], programs: [0: [1], 2: [1]])
        #expect(other.audio == [2] && other.warnings.count == 1)
        let foreign = Self.choose([Self.video(0)], [Self.audio(1)], programs: [0: [1], 1: [2]])
        #expect(foreign.audio.isEmpty && foreign.warnings.count == 1)
    }

    @Test func radioProgrammesAreNotMixed() {
        let choice = Self.choose(
            [], [Self.audio(0, language: "eng"), Self.audio(1, channels: 6, language: "deu")],
            programs: [0: [1], 1: [2]])
        #expect(choice.audio == [1])
        #expect(Self.warns(choice, "audio stream 0", "programme"))
    }

    @Test func commentariesAndDescriptionsAreUsedBesideTheMainTrack() {
        let choice = Self.choose(
            [Self.video(0)],
            [
                Self.audio(1, channels: 6, language: "eng", isDefault: true, role: .commentary),
                Self.audio(2, language: "eng"), Self.audio(3, language: "eng", role: .description),
                Self.audio(4, language: "eng", role: .commentary), Self.audio(5, language: "fra", role: .commentary),
            ])
        // The main track comes first, whatever the container marks as default.
        #expect(choice.audio == [2, 1, 3, 4, 5] && choice.warnings.isEmpty)
    }

    @Test func theBestTrackOfEachLanguageIsUsed() {
        let choice = Self.choose(
            [Self.video(0)],
            [
                Self.audio(1, language: "eng"), Self.audio(2, "ac3", channels: 6, language: "eng"),
                Self.audio(3), Self.audio(4),
            ])
        #expect(choice.audio == [2, 3])
        #expect(Self.warns(choice, "audio stream 1", "stream 2 has the same language"))
        #expect(Self.warns(choice, "audio stream 4", "stream 3 has no language either"))
        #expect(choice.warnings.first?.message.hasPrefix("audio stream 1 (aac, eng) is not used") == true)
    }

    @Test func aDefaultTrackInStereoBringsItsSurroundSound() {
        let stereo = Self.audio(1, language: "eng", isDefault: true)
        let choice = Self.choose(
            [Self.video(0)],
            [
                stereo, Self.audio(2, "ac3", channels: 6, language: "eng"), Self.audio(3, language: "eng"),
                Self.audio(4, channels: 6, language: "eng", role: .commentary),
            ])
        #expect(choice.audio == [1, 2, 4])
        #expect(choice.warnings.count == 1 && Self.warns(choice, "audio stream 3", "stream 1 has the same language"))
        // A default track in surround sound gives the stereo too.
        let surround = Self.choose(
            [Self.video(0)],
            [Self.audio(1, channels: 6, language: "eng", isDefault: true), Self.audio(2, language: "eng")])
        #expect(surround.audio == [1])
    }

    @Test func aSecondMonoTrackIsNamed() {
        let choice = Self.choose([Self.video(0)], [Self.mono(1, "aac"), Self.mono(2, "aac")])
        #expect(choice.audio == [1] && choice.pairs.isEmpty)
        #expect(Self.warns(choice, "audio stream 2", "mono tracks"))
        #expect(choice.warnings.first?.advice?.contains("stereo") == true)
    }

    // MARK: - Pairs of mono tracks

    private static let pairs: [[AudioStream]] = [
        [mono(1), mono(2)], [mono(1), mono(2, isDefault: true)], [mono(1, layout: "mono"), mono(2, layout: "mono")],
        [mono(1, title: "Audio 1"), mono(2, title: "Audio 2")], [mono(1), mono(2, end: 4.05)],
        [mono(1, language: "eng"), mono(2, language: "eng")],
    ]

    @Test(arguments: pairs)
    func twoMonoTracksOfPCMAreLeftAndRight(tracks: [AudioStream]) {
        let choice = Self.choose([Self.video(0)], tracks)
        #expect(choice.audio == [1] && choice.pairs == [1: 2] && choice.usedAudio == [1, 2])
        #expect(choice.warnings.map(\.code) == [.layoutGuessed])
        #expect(choice.warnings.first?.message.hasPrefix("audio streams 1 and 2 ") == true)
        #expect(choice.warnings.first?.advice != nil)
    }

    private static let others: [[AudioStream]] = [
        [mono(1), mono(2, end: 3)], [mono(1), mono(2, "pcm_s16le")], [mono(1), mono(2, sampleRate: 44_100)],
        [mono(1), mono(2), mono(3)], [mono(1, "aac"), mono(2, "aac")],
        [mono(1, title: "Film"), mono(2, title: "Commentary")],
        [mono(1, layout: "1 channels (FL)"), mono(2, layout: "1 channels (LFE)")],
        [mono(1), audio(2, "pcm_s24le")],
    ]

    @Test(arguments: others)
    func otherMonoTracksAreNoPair(tracks: [AudioStream]) {
        let choice = Self.choose([Self.video(0)], tracks)
        #expect(choice.audio.count == 1 && choice.pairs.isEmpty && choice.usedAudio == choice.audio)
        #expect(choice.warnings.count == tracks.count - 1)
        #expect(choice.warnings.allSatisfy { $0.code == .trackUnused })
    }

    @Test func monoTracksOfTwoLanguagesAreTwoTracks() {
        let choice = Self.choose([Self.video(0)], [Self.mono(1, language: "eng"), Self.mono(2, language: "deu")])
        #expect(choice == TrackSelection.Choice(video: 0, audio: [1, 2], warnings: []))
    }

    @Test(arguments: ["pcm_s16le", "aac"])
    func layoutsSayLeftAndRight(codec: String) {
        let choice = Self.choose(
            [Self.video(0)],
            [
                Self.mono(1, codec, layout: "1 channels (FR)"), Self.mono(2, codec, layout: "1 channels (FL)"),
                Self.mono(3, codec, layout: "mono"),
            ])
        #expect(choice.audio == [2] && choice.pairs == [2: 1])
        #expect(choice.warnings.count == 1)
        #expect(Self.warns(choice, "audio stream 3", "mono tracks"))
    }

    @Test func titlesSayLeftAndRight() {
        let choice = Self.choose(
            [Self.video(0)], [Self.mono(1, title: "Ch. R"), Self.mono(2, title: "Ch. L"), Self.mono(3, title: "Boom")])
        #expect(choice.audio == [2] && choice.pairs == [2: 1])
        #expect(choice.warnings.map(\.code) == [.trackUnused, .layoutGuessed])
    }

    @Test func audioThatCannotBeDecodedIsNamed() {
        let choice = Self.choose(
            [Self.video(0)],
            [
                Self.audio(1, "fpcm", canDecode: false), Self.audio(2, end: 0, canDecode: false),
                Self.audio(3, channels: 0),
            ])
        #expect(choice.audio.isEmpty)
        #expect(Self.warns(choice, "audio stream 1", "does not decode its codec"))
        #expect(Self.warns(choice, "audio stream 2", "no samples"))
        #expect(Self.warns(choice, "audio stream 3", "unknown"))
    }

    @Test func subtitlesThatAreNoTextAreNamed() {
        let choice = Self.choose(
            [Self.video(0)], [],
            [
                SubtitleStream(index: 1, codec: "subrip", language: "eng", isUsed: true),
                SubtitleStream(index: 2, codec: "hdmv_pgs_subtitle", language: "eng"),
                SubtitleStream(index: 3, codec: "subrip", language: "eng"),
                SubtitleStream(index: 4, codec: "dvb_teletext", language: nil),
            ])
        #expect(choice.warnings.count == 3)
        #expect(Self.warns(choice, "subtitle stream 2", "its text is pictures"))
        #expect(Self.warns(choice, "subtitle stream 3", "it contains no text"))
        #expect(Self.warns(choice, "subtitle stream 4", "does not read its codec"))

        let many = (1...36).map { SubtitleStream(index: $0, codec: "dvb_subtitle", language: "eng") }
        let warnings = Self.choose([Self.video(0)], [], many).warnings
        #expect(warnings.count == 1 && warnings.first?.code == .trackUnused)
        #expect(warnings.first?.message.hasPrefix("36 subtitle streams") == true)
        #expect(warnings.first?.message.contains("36 (dvb_subtitle, eng)") == true)
    }

    @Test func untrustedLanguagesAreNotQuoted() {
        let choice = Self.choose([Self.video(0)], [Self.audio(1), Self.audio(2, language: "\u{1B}[31mred")])
        #expect(choice.audio == [1])
        #expect(choice.warnings.allSatisfy { !$0.message.contains("\u{1B}") })
    }
}

@Suite struct StreamLimitTests {
    @Test func onlyVideoAndAudioStreamsCount() throws {
        let demuxer = try Demuxer(
            SourceBytes(MemorySource(MemoryMedia.wav(samples: 8000))), options: InputLimits().demuxerOptions)
        try InputLimits(maxStreams: 1).check(streams: demuxer.streams, name: "a.wav")
        #expect {
            try InputLimits(maxStreams: 0).check(streams: demuxer.streams, name: "a.wav")
        } throws: { error in
            let error = error as? ClairoError
            return error?.exitCode == .badMedia && error?.advice?.contains("--max-streams") == true
        }
        var subtitle = try #require(demuxer.streams.first)
        subtitle.kind = .subtitle
        try InputLimits(maxStreams: 1).check(streams: demuxer.streams + [subtitle, subtitle], name: "a.mkv")
    }
}
