import ClairoCore
import ClairoMedia
import ClairoTestSupport
import Foundation
import Testing

/// Sources whose clocks, rates, formats and tracks change: each frame is shown once, audio stays with it, and what was
/// joined, left out or guessed is a warning.
@Suite(.sharesMachine) struct SourceTimelineTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    static let small = TranscodeSettings.quick.with { $0.heights = [180] }

    /// The numbers that the source's frames show in the output, without the last one held while audio continues.
    private func numbers(_ output: Transcoded) async throws -> [Int] {
        let video = try #require(output.plan.video)
        let all = try await FrameNumbers.read(output.path(try #require(output.rungs.first).mp4Key))
        #expect(all.count == video.grid.frameCount)
        return Array(all.prefix(video.sourceFrameCount))
    }

    /// Each number once while it stays.
    private func runs(_ numbers: [Int]) -> [Int] {
        numbers.indices.filter { $0 == 0 || numbers[$0] != numbers[$0 - 1] }.map { numbers[$0] }
    }

    private func codes(_ output: Transcoded) -> [MediaWarning.Code] { output.manifest.warnings.map(\.code) }

    private func write(_ data: Data, _ name: String) throws -> URL {
        try data.write(to: scratch.url(name))
        return scratch.url(name)
    }

    /// The bytes of one file after those of another.
    private func joined(_ first: Clip, _ second: Clip) async throws -> URL {
        let data = try await Data(contentsOf: first.make()) + Data(contentsOf: second.make())
        return try write(data, "joined.\(first.suffix)")
    }

    // MARK: - Clock breaks

    static let recording = Clip(seconds: 4, video: .numbers, audio: .tone(channels: 1), suffix: "ts")

    /// The same recording with later times.
    static func recording(from seconds: Double) -> Clip {
        var clip = recording
        clip.options = ["-output_ts_offset", "\(seconds)"]
        return clip
    }

    @Test(arguments: [0.0, 20, 14_400])
    func aClockThatRestartsOrJumpsBeginsANewStretch(offset: Double) async throws {
        let source = try await joined(Self.recording, Self.recording(from: offset))
        let output = try await Transcoded(source, into: scratch.path("out"), settings: Self.small)
        let once = Array(0..<Self.recording.frameCount)
        #expect(try await numbers(output) == once + once)
        #expect(abs(output.plan.duration.doubleValue - 8) < 0.1)
        #expect(codes(output).contains(.clockBreak))
    }

    @Test func aShortGapOfALiveRecordingStaysAGap() async throws {
        let source = try await joined(Self.recording, Self.recording(from: 5.6))
        let output = try await Transcoded(source, into: scratch.path("out"), settings: Self.small)
        let once = Array(0..<Self.recording.frameCount)
        let numbers = try await numbers(output)
        #expect(runs(numbers) == once + once)
        #expect(abs(Double(numbers.count) / 25 - 9.6) < 0.1)
    }

    @Test func audioStaysWithItsFramesAfterABreak() async throws {
        let clip = Clip(
            seconds: 4, video: .flashes([1, 3]), audio: .beeps([1, 3], from: 0, to: 4), suffix: "ts")
        let output = try await Transcoded(joined(clip, clip), into: scratch.path("out"), settings: Self.small)
        let path = output.path(try #require(output.rungs.first).mp4Key)
        let flashes = try await Oracle.flashes(path)
        let beeps = try await Oracle.beeps(path)
        #expect(flashes.count == 4 && beeps.count == 4)
        for (flash, beep) in zip(flashes, beeps) { #expect(abs(flash - beep) <= 0.04, "\(flashes), \(beeps)") }
        #expect(zip(flashes, [1.0, 3, 5, 7]).allSatisfy { abs($0 - $1) <= 0.08 }, "\(flashes)")
    }

    @Test func oneDamagedTimeCostsNoFrameAndNoTime() async throws {
        var stream = try TransportStream(await Clip(seconds: 2, video: .numbers, audio: .none, suffix: "ts").make())
        try stream.shiftTime(ofFrame: 20, seconds: 1_700)
        let output = try await Transcoded(
            write(stream.data, "time.ts"), into: scratch.path("out"), settings: Self.small)
        #expect(try await numbers(output) == Array(0..<50))
        #expect(!codes(output).isEmpty)
    }

    @Test func aLastTimeFarAwayIsRefusedOrJoinedWithoutCost() async throws {
        let clip = Clip(
            seconds: 4, audio: .none, filter: "setpts='if(eq(N,99),80000/TB,PTS)'",
            options: ["-fps_mode", "passthrough"])
        let source = try await clip.make()
        do {
            let output = try await Transcoded(source, into: scratch.path("out"), settings: Self.small)
            let video = try #require(output.plan.video)
            // FFmpeg 7.1 leaves the frame out, because it is outside the edit list.
            #expect(video.grid.frameCount < 300)
        } catch let error as ClairoError {
            #expect(error.exitCode == .badMedia)
        }
    }

    // MARK: - Rates and jitter

    @Test func theRateOfAScreenRecordingFollowsItsFastParts() async throws {
        let clip = Clip(
            rate: "30", seconds: 8, video: .numbers, audio: .none, filter: "select='if(lt(n,180),not(mod(n,6)),1)'",
            options: ["-fps_mode", "vfr"], suffix: "mkv")
        let output = try await Transcoded(clip.make(), into: scratch.path("out"), settings: Self.small)
        let rate = try #require(output.plan.video).grid.frameRate.doubleValue
        #expect(abs(rate - 30) < 0.1)
        #expect(try await numbers(output) == (0..<240).map { $0 < 180 ? $0 / 6 * 6 : $0 })
    }

    @Test(arguments: [5, 10, 20])
    func framesWhoseTimesJitterAreEachShownOnce(milliseconds: Int) async throws {
        let clip = Clip(
            rate: "30", seconds: 5, video: .numbers, audio: .none,
            filter: "settb=1/1000,setpts='N*1000/30+\(milliseconds)*sin(N*1.7)'",
            options: ["-fps_mode", "passthrough", "-enc_time_base", "1:1000"], suffix: "mkv")
        let output = try await Transcoded(clip.make(), into: scratch.path("out"), settings: Self.small)
        #expect(try await numbers(output) == Array(0..<150))
    }

    @Test(arguments: [10, 20])
    func audioWhosePacketsJitterStaysContinuous(milliseconds: Int) async throws {
        // The muxer's times are in milliseconds.
        let clip = Clip(
            seconds: 5, video: .none, audio: .tone(channels: 1),
            options: ["-bsf:a", "setts=ts=TS+\(milliseconds)*sin(N*0.7)"], suffix: "mkv")
        let output = try await Transcoded(clip.make(), into: scratch.path("out"))
        let track = try #require(output.plan.audio.first)
        let samples = try await Oracle.samples(output.path(track.mp4Key))[0]
        #expect(abs(Double(samples.count) / 48_000 - 5) < 0.1)
        #expect(ToneAnalysis.breaks(of: 440, in: samples) == [])
    }

    @Test(arguments: [["-preset", "medium", "-bf", "2"], ["-c:v", "mpeg4", "-q:v", "2", "-bf", "2", "-minrate", "0"]])
    func framesOfAnAVIWithBFramesAreInOrder(options: [String]) async throws {
        let clip = Clip(
            seconds: 4, video: .numbers, audio: .tone(channels: 1), options: options + ["-c:a", "libmp3lame"],
            suffix: "avi")
        let output = try await Transcoded(clip.make(), into: scratch.path("out"), settings: Self.small)
        #expect(try await numbers(output) == Array(0..<100))
    }

    // MARK: - Tracks that begin apart

    @Test(arguments: ["ts", "flv"])
    func audioThatBeginsLateIsKept(suffix: String) async throws {
        let clip = Clip(
            width: 160, height: 90, seconds: 16, video: .flashes([13, 15]),
            audio: .beeps([13, 15], from: 12, to: 16), suffix: suffix)
        let output = try await Transcoded(clip.make(), into: scratch.path("out"))
        let path = output.path(try #require(output.rungs.first).mp4Key)
        let flashes = try await Oracle.flashes(path)
        let beeps = try await Oracle.beeps(path)
        #expect(flashes.count == 2 && beeps.count == 2)
        for (flash, beep) in zip(flashes, beeps) { #expect(abs(flash - beep) <= 0.04, "\(flashes), \(beeps)") }
    }

    @Test(arguments: ["ts", "flv"])
    func videoThatBeginsLateIsKept(suffix: String) async throws {
        let clip = Clip(
            width: 160, height: 90, seconds: 4, video: .numbers,
            audio: .graph("aevalsrc='0.3*sin(440*2*PI*t)':s=48000:d=16"), filter: "setpts=PTS+12/TB",
            options: ["-fps_mode", "passthrough"], suffix: suffix)
        let output = try await Transcoded(clip.make(), into: scratch.path("out"))
        #expect(runs(try await numbers(output)) == Array(0..<100))
        #expect(abs(output.plan.duration.doubleValue - 16) < 0.1)
        #expect(output.plan.audio.count == 1)
    }

    @Test func aRecordingThatBeginsInTheMiddleOfAGOPStartsAtItsFirstKeyFrame() async throws {
        var stream = try TransportStream(await Clip(seconds: 6, video: .numbers, audio: .none, suffix: "ts").make())
        try stream.removeFrames(before: 10)
        let output = try await Transcoded(
            write(stream.data, "middle.ts"), into: scratch.path("out"), settings: Self.small)
        #expect(try await numbers(output) == Array(50..<150))
        #expect(codes(output).contains(.startSkipped))
    }

    @Test func aTrackThatIsNotUsedIsNamed() async throws {
        let source = try await Clip(
            video: .none, audio: .tone(channels: 1), options: ["-map", "0", "-metadata:s:a", "language=eng"],
            suffix: "mkv"
        ).make()
        let output = try await Transcoded(source, into: scratch.path("out"))
        #expect(output.plan.audio.count == 1)
        #expect(codes(output).contains(.trackUnused))
    }

    // MARK: - Formats that change

    @Test func theLadderFollowsTheFormatThatHoldsLongest() async throws {
        let first = Clip(width: 160, height: 90, seconds: 0.4, audio: .none, suffix: "ts")
        let second = Clip(width: 640, height: 360, seconds: 4, audio: .none, suffix: "ts")
        let output = try await Transcoded(joined(first, second), into: scratch.path("out"))
        #expect(output.rungs.first?.size == FrameSize(width: 640, height: 360))
        #expect(codes(output).contains(.formatChanges))
    }

    @Test func anotherShapeIsFittedIntoTheLadder() async throws {
        let wide = Clip(width: 320, height: 180, seconds: 3, video: .graph(Self.square(320, 180)), suffix: "ts")
        let tall = Clip(width: 180, height: 320, seconds: 1, video: .graph(Self.square(180, 320)), suffix: "ts")
        let output = try await Transcoded(joined(wide, tall), into: scratch.path("out"))
        let frames = try await DecodedFrames(output.path(try #require(output.rungs.first).mp4Key))
        #expect(frames.width == 320 && frames.height == 180 && frames.count >= 100)
        for index in [0, 40, 80, 95] where index < frames.count {
            let area = frames.brightArea(ofFrame: index)
            #expect(area.width > 20 && abs(area.width - area.height) <= 2, "frame \(index): \(area)")
        }
    }

    /// A white square of 100 pixels in the middle of black.
    private static func square(_ width: Int, _ height: Int) -> String {
        "color=black:s=\(width)x\(height):r=25:d=\(width > height ? 3 : 1),"
            + "drawbox=x=(iw-100)/2:y=(ih-100)/2:w=100:h=100:c=white:t=fill"
    }

    // MARK: - Damaged audio

    @Test(arguments: ["1e6*sin(440*2*PI*t)", "if(eq(n,5000),sqrt(-1),0.3*sin(440*2*PI*t))"])
    func samplesBeyondFullScaleOrThatAreNoNumbersAreReplaced(graph: String) async throws {
        let source = try await Clip(
            video: .none, audio: .graph("aevalsrc='\(graph)':s=48000:d=0.2"), options: ["-c:a", "pcm_f32le"],
            suffix: "wav"
        ).make()
        let output = try await Transcoded(source, into: scratch.path("out"))
        let samples = try await Oracle.samples(output.path(try #require(output.plan.audio.first).mp4Key))[0]
        #expect(abs(Double(samples.count) / 48_000 - 0.2) < 0.05)
        // Lossy coding of a square wave overshoots.
        #expect(samples.allSatisfy { $0.isFinite && abs($0) <= 4 })
        #expect(codes(output).contains(.samplesClipped))
    }

    @Test func damagedAudioIsRefusedOrToldAbout() async throws {
        let source = try await Clip(video: .none, audio: .tone(channels: 2), suffix: "m4a").make()
        var data = try Data(contentsOf: source)
        // The samples: one byte in ten is noise.
        let box = try #require(data.range(of: Data("mdat".utf8)))
        let end = try #require(data.range(of: Data("moov".utf8), in: box.upperBound..<data.count)).lowerBound - 4
        var generator = SeededGenerator(seed: 12)
        for index in box.upperBound..<end where Int.random(in: 0..<10, using: &generator) == 0 {
            data[index] = UInt8.random(in: 0...255, using: &generator)
        }
        let damaged = try write(data, "damaged.m4a")
        await #expect {
            try await Transcoded(damaged, into: scratch.path("out"))
        } throws: { error in
            (error as? ClairoError)?.exitCode == .badMedia
        }
        let output = try await Transcoded(
            damaged, into: scratch.path("partial"), settings: .quick.with { $0.allowPartial = true })
        #expect(codes(output).contains(.damaged))
    }
}
