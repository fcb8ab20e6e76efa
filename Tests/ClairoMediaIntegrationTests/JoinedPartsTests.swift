import ClairoCore
import ClairoMedia
import ClairoTestSupport
import Foundation
import Testing

/// Sources whose tracks consist of several streams: transport streams whose PIDs change, and files joined by their
/// bytes. All frames are shown in order, and audio stays with them.
@Suite(.sharesMachine) struct JoinedPartsTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private static let settings = TranscodeSettings.quick.with { $0.heights = [180] }

    private static func clip(_ suffix: String, _ options: [String] = []) -> Clip {
        Clip(seconds: 2, video: .numbers, audio: .tone(channels: 1), options: options, suffix: suffix)
    }

    private func joined(_ clips: [Clip]) async throws -> URL {
        var data = Data()
        for clip in clips { try await data.append(Data(contentsOf: clip.make())) }
        let url = scratch.url("joined.\(clips[0].suffix)")
        try data.write(to: url)
        return url
    }

    /// Transcodes the parts and checks that each of them is there, once.
    private func expectWhole(_ clips: [Clip], _ comment: Comment? = nil) async throws {
        let output = try await Transcoded(
            joined(clips), into: scratch.path(UUID().uuidString), settings: Self.settings)
        let video = try #require(output.plan.video)
        let path = output.path(try #require(output.rungs.first).mp4Key)
        let numbers = try await FrameNumbers.read(path)
        let once = Array(0..<50)
        #expect(Array(numbers.prefix(video.sourceFrameCount)) == clips.flatMap { _ in once }, comment)
        let expected = 2 * Double(clips.count)
        #expect(abs(output.plan.duration.doubleValue - expected) < 0.15, comment)
        #expect(output.plan.audio.count == 1, comment)
        let samples = try await Oracle.samples(path)[0]
        let seconds = Double(samples.count) / 48_000
        #expect(abs(seconds - expected) < 0.15, comment)
        // The tone is there in the middle of each part.
        let loudest = clips.indices.map { samples.dropFirst(96_000 * $0 + 36_000).prefix(24_000).max() ?? 0 }
        #expect(loudest.allSatisfy { $0 > 0.1 }, comment)
        let codes = output.manifest.warnings.map(\.code)
        #expect(codes.contains(.partsJoined) && !codes.contains(.trackUnused), comment)
    }

    // MARK: - PIDs that change

    private static let both = ["-mpegts_start_pid", "0x200"]
    private static let video = ["-streamid", "0:0x200", "-streamid", "1:0x101"]
    private static let audio = ["-streamid", "0:0x100", "-streamid", "1:0x201"]
    /// The clock goes on from the end of the first part, or restarts. Without an offset, ffmpeg begins with the audio's
    /// priming and the video 23 ms later; with one, both begin at once.
    private static let goesOn = ["-output_ts_offset", "2.024"]

    @Test(arguments: [both, video, audio, both + goesOn, video + goesOn, audio + goesOn])
    func streamsWithOtherPIDsContinueTheirTracks(options: [String]) async throws {
        try await expectWhole([Self.clip("ts"), Self.clip("ts", options)], "\(options)")
    }

    @Test func thePIDsMayChangeTwiceOrBack() async throws {
        let first = Self.clip("ts")
        let second = Self.clip("ts", Self.both)
        try await expectWhole([first, second, Self.clip("ts", ["-mpegts_start_pid", "0x300"]), first, second])
    }

    @Test func theCodecsMayChangeWithThePIDs() async throws {
        let other = Self.clip("ts", Self.both + ["-c:v", "mpeg2video", "-c:a", "mp2", "-ar", "44100"])
        try await expectWhole([Self.clip("ts"), other], "H.264 first")
        try await expectWhole([other, Self.clip("ts")], "MPEG-2 first")
    }

    @Test func bFramesAtAChangeOfPIDsAreInOrder() async throws {
        let frames = ["-preset", "medium", "-bf", "2"]
        try await expectWhole([Self.clip("ts", frames), Self.clip("ts", frames + Self.both)])
    }

    @Test func audioStaysWithItsFramesWhenThePIDsChange() async throws {
        let first = Clip(seconds: 4, video: .flashes([1, 3]), audio: .beeps([1, 3], from: 0, to: 4), suffix: "ts")
        var second = first
        second.options = Self.both
        let output = try await Transcoded(
            joined([first, second]), into: scratch.path("out"), settings: Self.settings)
        let path = output.path(try #require(output.rungs.first).mp4Key)
        let flashes = try await Oracle.flashes(path)
        let beeps = try await Oracle.beeps(path)
        #expect(flashes.count == 4 && beeps.count == 4)
        for (flash, beep) in zip(flashes, beeps) { #expect(abs(flash - beep) <= 0.04, "\(flashes), \(beeps)") }
        #expect(zip(flashes, [1.0, 3, 5, 7]).allSatisfy { abs($0 - $1) <= 0.08 }, "\(flashes)")
    }

    @Test func tracksThatOverlapAreNotJoined() async throws {
        let clip = Clip(
            seconds: 2, video: .numbers, audio: .tone(channels: 1), options: ["-map", "1:a"], suffix: "ts")
        let output = try await Transcoded(clip.make(), into: scratch.path("out"), settings: Self.settings)
        #expect(output.plan.parts == nil && output.plan.audio.count == 1)
        #expect(output.manifest.warnings.map(\.code).contains(.trackUnused))
    }

    // MARK: - Joined files

    @Test(arguments: ["flv", "mkv", "mp4", "mov"])
    func filesThatWereJoinedByTheirBytesAreReadToTheLast(suffix: String) async throws {
        let other = Self.clip(suffix, ["-bf", "2", "-preset", "medium"])
        try await expectWhole([Self.clip(suffix), other, Self.clip(suffix)], "\(suffix)")
    }

    @Test func aSecondFileOfAnotherShapeIsFittedIntoTheLadder() async throws {
        var tall = Self.clip("mkv")
        (tall.width, tall.height) = (180, 320)
        let output = try await Transcoded(
            joined([Self.clip("mkv"), tall]), into: scratch.path("out"), settings: Self.settings)
        #expect(output.plan.video?.sourceFrameCount == 100)
        let codes = output.manifest.warnings.map(\.code)
        #expect(codes.contains(.formatChanges) && codes.contains(.partsJoined))
    }

    @Test func joinedRecordingsOfSoundAreReadToTheLast() async throws {
        let clip = Clip(seconds: 1, video: .none, audio: .tone(channels: 1), suffix: "wav")
        let output = try await Transcoded(joined([clip, clip, clip]), into: scratch.path("out"))
        let samples = try await Oracle.samples(output.path(try #require(output.plan.audio.first).mp4Key))[0]
        #expect(abs(Double(samples.count) / 48_000 - 3) < 0.05)
        #expect((samples.suffix(24_000).max() ?? 0) > 0.1)
    }

    @Test func aSecondFileThatIsCutShortIsRefused() async throws {
        let data = try await Data(contentsOf: Self.clip("mkv").make())
        let url = scratch.url("cut.mkv")
        try (data + data.dropLast(data.count / 2)).write(to: url)
        await #expect {
            try await Transcoded(url, into: scratch.path("out"), settings: Self.settings)
        } throws: { error in
            (error as? ClairoError)?.exitCode == .badMedia
        }
    }
}
