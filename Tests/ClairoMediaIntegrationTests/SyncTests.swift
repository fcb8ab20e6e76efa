import ClairoCore
import ClairoMedia
import ClairoTestSupport
import Foundation
import Testing

/// Audio and video stay in sync: white flashes and beeps at the same source times have the same times in the output.
@Suite(.sharesMachine) struct SyncTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    static let instants = [1.0, 2.0, 4.0, 6.0]

    struct Case: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var rate = "25"
        var audio = (from: 0.0, to: 7.0)
        var suffix = "mp4"
        var options: [String] = []

        var clip: Clip {
            Clip(
                rate: rate, seconds: 7, video: .flashes(SyncTests.instants),
                audio: .beeps(SyncTests.instants, from: audio.from, to: audio.to),
                options: ["-preset", "medium", "-bf", "2"] + options, suffix: suffix)
        }
        /// The range of times covered by the audio.
        var audibleInstants: [Double] { SyncTests.instants.filter { $0 >= audio.from && $0 < audio.to } }
    }

    static let cases = [
        Case(testDescription: "as long as the video"),
        Case(testDescription: "at 30000/1001 frames per second", rate: "30000/1001"),
        Case(testDescription: "late in MP4", audio: (0.6, 7)),
        Case(testDescription: "late in Matroska", audio: (0.6, 7), suffix: "mkv"),
        Case(testDescription: "very late", audio: (3.3, 7)),
        Case(testDescription: "short", audio: (0, 4.5)),
        Case(testDescription: "long", audio: (0, 9)),
        Case(testDescription: "late and long", audio: (1.5, 9), suffix: "mkv"),
        Case(testDescription: "in a transport stream", suffix: "ts"),
        Case(testDescription: "in AVI with MP3", suffix: "avi", options: ["-bf", "0", "-c:a", "libmp3lame"]),
        Case(testDescription: "Opus in Matroska", suffix: "mkv", options: ["-c:a", "libopus"]),
        Case(testDescription: "uncompressed in MOV", suffix: "mov", options: ["-c:a", "pcm_s16le"]),
        Case(testDescription: "at 44.1 kHz", options: ["-ar", "44100"]),
    ]

    @Test(arguments: cases)
    func flashesAndBeepsStayInSync(_ sample: Case) async throws {
        let clip = sample.clip
        let source = try await clip.make()
        let output = try await Transcoded(source, into: scratch.path("out"))
        let frame = 1 / clip.framesPerSecond
        // Where a player of the source has them: AVI and MP3 have their own delays.
        let origin = output.plan.origin.doubleValue
        let shown = try await Oracle.flashes(source.path).map { $0 - origin }
        let sourceBeeps = try await Oracle.beeps(source.path).map { $0 - origin }
        #expect(shown.count == Self.instants.count && sourceBeeps.count == sample.audibleInstants.count)
        for path in [output.master, output.path(try #require(output.rungs.first).mp4Key)] {
            let flashes = try await Oracle.flashes(path)
            let beeps = try await Oracle.beeps(path)
            #expect(flashes.count == shown.count)
            #expect(beeps.count == sourceBeeps.count, "beeps at \(beeps)")
            for (flash, instant) in zip(flashes, shown) {
                #expect(abs(flash - instant) <= frame, "\(path): flash of \(instant) s at \(flash) s")
            }
            for (beep, instant) in zip(beeps, sourceBeeps) {
                #expect(abs(beep - instant) <= frame, "\(path): beep of \(instant) s at \(beep) s")
                let flash = flashes.min { abs($0 - instant) < abs($1 - instant) } ?? -1
                #expect(abs(beep - flash) <= frame, "\(path): flash at \(flash) s, beep at \(beep) s")
            }
        }
    }

    /// GStreamer and WebKitGTK do, and VLC in part.
    @Test func playersThatIgnoreEditListsShiftAudioAndVideoByTheSameTime() async throws {
        let sample = try #require(Self.cases.first { $0.rate == "30000/1001" })
        let output = try await Transcoded(sample.clip.make(), into: scratch.path("out"))
        let path = output.path(try #require(output.rungs.first).mp4Key)
        let video = try #require(output.plan.video)
        let delay = video.grid.time(ofFrame: try #require(video.presentationDelay)).doubleValue
        let flashes = zip(
            try await Oracle.flashes(path, ignoresEditLists: true), try await Oracle.flashes(path)
        ).map { $0 - $1 }
        let beeps = zip(
            try await Oracle.beeps(path, ignoresEditLists: true), try await Oracle.beeps(path)
        ).map { $0 - $1 }
        #expect(flashes.count == Self.instants.count && beeps.count == Self.instants.count)
        #expect((flashes + beeps).allSatisfy { abs($0 - delay) < 0.001 }, "shifted by \(flashes) and \(beeps)")
    }

    @Test func theLastFrameIsHeldUntilLongerAudioEnds() async throws {
        let sample = Case(testDescription: "", audio: (0, 9))
        let output = try await Transcoded(sample.clip.make(), into: scratch.path("out"))
        #expect(abs(output.plan.duration.doubleValue - 9) < 0.05)
        let packets = try await Oracle.probe(
            output.path(try #require(output.rungs.first).mp4Key), "packets", "-select_streams", "v")
        #expect(packets.count == output.plan.video?.grid.frameCount)
    }

    @Test func aTrimmedOutputKeepsAudioAndVideoInSync() async throws {
        let output = try await Transcoded(
            Case(testDescription: "").clip.make(), into: scratch.path("out"),
            settings: .quick.with { $0.start = Rational(3, 2) })
        let wanted = [0.5, 2.5, 4.5]
        for found in [try await Oracle.flashes(output.master), try await Oracle.beeps(output.master)] {
            #expect(found.count == wanted.count)
            #expect(zip(found, wanted).allSatisfy { abs($0 - $1) <= 0.04 }, "found at \(found)")
        }
    }

    // MARK: Audio content

    @Test func monoAudioStaysMono() async throws {
        let output = try await Transcoded(
            Clip(audio: .tone(channels: 1)).make(), into: scratch.path("out"))
        #expect(output.plan.audio.map(\.channels) == [1])
        let streams = try await Oracle.probe(
            output.path(try #require(output.rungs.first).mp4Key), "streams", "-select_streams", "a")
        #expect(streams.map { $0["channels"] } == ["1"])
    }

    /// Two mono tracks of PCM, as cameras write them.
    private static func pair(_ options: [String] = []) -> Clip {
        let tones = [500, 2000].map { "aevalsrc='0.3*sin(\($0)*2*PI*t)':s=48000:d=4[out\($0 == 500 ? 0 : 1)]" }
        return Clip(
            audio: .graph(tones.joined(separator: ";")), options: ["-c:a", "pcm_s24le"] + options, suffix: "mov")
    }

    // The second case stores the tracks in blocks of several seconds.
    @Test(arguments: [[], ["-chunk_duration", "3000000"]])
    func twoMonoTracksBecomeLeftAndRight(options: [String]) async throws {
        let output = try await Transcoded(Self.pair(options).make(), into: scratch.path("out"))
        let track = try #require(output.plan.audio.first)
        #expect(output.plan.audio.count == 1 && track.channels == 2 && track.bitRate == 128_000)
        #expect(track.streamIndex == 1 && track.pairedStreamIndex == 2)
        let sides = try await Oracle.samples(output.path(try #require(output.rungs.first).mp4Key), channels: 2)
        #expect(sides.allSatisfy { abs(Double($0.count) / 48_000 - 4) < 0.1 })
        #expect(zip([500.0, 2000.0], sides).allSatisfy { ToneAnalysis.share(of: $0, in: $1) > 0.9 })
        #expect(ToneAnalysis.breaks(of: 500, in: sides[0]) == [] && ToneAnalysis.breaks(of: 2000, in: sides[1]) == [])
        #expect(output.manifest.warnings.map(\.code) == [.layoutGuessed])
    }

    @Test func twoMonoTracksOfDifferentLengthStayApart() async throws {
        let tones = [(440, 4), (880, 2)].enumerated().map { index, tone in
            "aevalsrc='0.3*sin(\(tone.0)*2*PI*t)':s=48000:d=\(tone.1)[out\(index)]"
        }
        let source = try await Clip(
            audio: .graph(tones.joined(separator: ";")), options: ["-c:a", "pcm_s16le"], suffix: "mov"
        ).make()
        let output = try await Transcoded(source, into: scratch.path("out"))
        #expect(output.plan.audio.map(\.channels) == [1])
        #expect(output.plan.audio.first?.pairedStreamIndex == nil)
        #expect(output.manifest.warnings.map(\.code) == [.trackUnused])
    }

    @Test func theCentreChannelIsDownmixedToBothSides() async throws {
        let source = try await Clip(
            audio: .graph("aevalsrc='0|0|0.5*sin(880*2*PI*t)|0|0|0':c=5.1:s=48000:d=4")
        ).make()
        let output = try await Transcoded(source, into: scratch.path("out"))
        #expect(output.plan.audio.map(\.channels) == [2, 6])
        let sides = try await Oracle.samples(output.path(try #require(output.rungs.first).mp4Key), channels: 2)
        let levels = sides.map { side in sqrt(side.reduce(0) { $0 + $1 * $1 } / Float(max(side.count, 1))) }
        #expect(levels.allSatisfy { $0 > 0.05 })
        #expect(abs(levels[0] - levels[1]) < 0.005)
    }

    @Test func aVideoWithoutAudioHasNoAudioTrack() async throws {
        let output = try await Transcoded(Clip(audio: .none).make(), into: scratch.path("out"))
        #expect(output.plan.audio == [])
        #expect(try await Oracle.probe(output.master, "streams").map { $0["codec_type"] } == ["video"])
    }

    @Test func silenceStaysSilence() async throws {
        let output = try await Transcoded(
            Clip(audio: .graph("anullsrc=r=48000:cl=stereo:d=4")).make(), into: scratch.path("out"))
        let samples = try await Oracle.samples(output.master)[0]
        #expect(abs(Double(samples.count) / 48_000 - 4) < 0.04)
        #expect(samples.allSatisfy { abs($0) < 0.001 })
    }

    @Test(arguments: ["m4a", "wav", "mkv"])
    func anAudioOnlySourceBecomesAnAudioOutput(suffix: String) async throws {
        let source = try await Clip(
            seconds: 7, video: .none, audio: .beeps([1, 3, 6], from: 0, to: 7), suffix: suffix
        ).make()
        let output = try await Transcoded(source, into: scratch.path("out"))
        #expect(output.plan.video == nil)
        let track = try #require(output.plan.audio.first)
        let sourceBeeps = try await Oracle.beeps(source.path).map { $0 - output.plan.origin.doubleValue }
        for path in [output.master, output.path(track.mp4Key)] {
            let beeps = try await Oracle.beeps(path)
            #expect(beeps.count == 3 && sourceBeeps.count == 3)
            #expect(
                zip(beeps, sourceBeeps).allSatisfy { abs($0 - $1) < 0.005 },
                "\(path): beeps at \(beeps), not \(sourceBeeps)")
        }
    }

    @Test func everyLanguageHasItsOwnTrack() async throws {
        let source = try await Clip(
            audio: .tone(channels: 2),
            options: [
                "-map", "1", "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=deu", "-ac:a:1", "1",
            ], suffix: "mkv"
        ).make()
        let output = try await Transcoded(source, into: scratch.path("out"))
        #expect(output.plan.audio.map(\.language) == ["eng", "deu"])
        let master = try String(contentsOfFile: output.master, encoding: .utf8)
        #expect(master.contains("LANGUAGE=\"eng\"") || master.contains("LANGUAGE=\"en\""))
        #expect(master.contains("LANGUAGE=\"deu\"") || master.contains("LANGUAGE=\"de\""))
    }
}
