import ClairoCore
import ClairoMedia
import ClairoTestSupport
import Foundation
import Testing

/// Audio in all formats, as ffmpeg decodes it.
@Suite(.sharesMachine) struct AudioFormatsTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private static let everyFormat = TranscodeSettings(formats: [.mp4]).with { $0.audio = AudioFormat.allCases }

    /// The track as one file, as a player gets it.
    private func file(_ track: AudioPlan, of output: Transcoded) throws -> String {
        let data = try track.objectKeys.reduce(into: Data()) {
            $0 += try Data(contentsOf: URL(fileURLWithPath: output.path($1)))
        }
        let path = scratch.path("\(track.id).mp4")
        try data.write(to: URL(fileURLWithPath: path))
        return path
    }

    private static func decibels(_ samples: some Collection<Float>) -> Double {
        let power = samples.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(max(samples.count, 1))
        return 10 * log10(max(power, 1e-12))
    }

    @Test func aClickStaysAtItsSampleInEveryFormat() async throws {
        let click = "0.8*eq(n,30000)"
        let source = try await Clip(
            video: .none,
            audio: .graph("aevalsrc='\(Array(repeating: click, count: 6).joined(separator: "|"))':c=5.1:s=48000:d=2"),
            options: ["-c:a", "pcm_s16le"], suffix: "mkv"
        ).make()
        let output = try await Transcoded(
            source, into: scratch.path("out"), settings: Self.everyFormat.with { $0.segmentSeconds = 1 })
        #expect(Set(output.plan.audio.map(\.format)) == Set(AudioFormat.allCases))
        for track in output.plan.audio {
            #expect(track.segmentCount == 2)
            let channels = try await Oracle.samples(try file(track, of: output), channels: track.channels)
            // AC-3 gives its low-frequency channel a bandwidth of 120 Hz.
            for (index, samples) in channels.enumerated() where index != 3 {
                let loudest = samples.indices.max { abs(samples[$0]) < abs(samples[$1]) } ?? 0
                #expect(abs(loudest - 30_000) <= 1, "\(track.id), channel \(index)")
            }
        }
        // One file of the audio alone, for each track of the source.
        let key = try #require(output.plan.audio.first).mp4Key
        #expect(key == "mp4/und-aac-128k.m4a")
        let head = try Data(contentsOf: URL(fileURLWithPath: output.path(key))).prefix(12)
        #expect(head.suffix(8) == Data("ftypM4A ".utf8))
    }

    @Test func channelsKeepTheirPlacesAndLevels() async throws {
        let frequencies = [440.0, 660, 880, 60, 1320, 1760]
        let tones = frequencies.map { "0.2*sin(\($0)*2*PI*t)" }.joined(separator: "|")
        let source = try await Clip(
            video: .none, audio: .graph("aevalsrc='\(tones)':c=5.1:s=48000:d=2"), options: ["-c:a", "pcm_s16le"],
            suffix: "mkv"
        ).make()
        let output = try await Transcoded(source, into: scratch.path("out"), settings: Self.everyFormat)
        let level = 20 * log10(0.2) - 3.01
        for track in output.plan.audio {
            let path = try file(track, of: output)
            let channels = try await Oracle.samples(path, channels: track.channels).map {
                $0.dropFirst(4800).prefix(80_000)
            }
            if track.channels == 6 {
                for (index, samples) in channels.enumerated() {
                    #expect(abs(Self.decibels(samples) - level) < 0.7, "\(track.id), channel \(index)")
                    #expect(ToneAnalysis.share(of: frequencies[index], in: Array(samples)) > 0.9)
                }
            } else {
                // Front, centre at -3 dB and surround at -3 dB: twice the power of one channel.
                for samples in channels { #expect(abs(Self.decibels(samples) - level - 3.01) < 0.7, "\(track.id)") }
            }
        }
    }

    @Test func whatIsMeasuredIsWhatFFmpegMeasures() async throws {
        let source = try await Clip(
            seconds: 8, video: .none,
            audio: .graph(
                "aevalsrc='0.5*sin(440*2*PI*t)*gt(mod(t,4),1)|0.3*sin(3000*2*PI*t)+0.2*random(0)':s=48000:d=8"),
            options: ["-c:a", "pcm_f32le"], suffix: "mkv"
        ).make()
        let output = try await Transcoded(
            source, into: scratch.path("out"), settings: TranscodeSettings(formats: [.mp4]))
        let expected = try await Oracle.loudness(source.path)
        let measured = try #require(output.plan.audio.first?.loudness)
        let (integrated, peak) = (try #require(measured.integrated), try #require(measured.truePeak))
        #expect(abs(integrated - expected.integrated) <= 0.1)
        #expect(abs(peak - expected.truePeak) <= 0.3)
        #expect(measured.gain == nil && output.manifest.renditions.first { $0.kind == .audio }?.loudness == measured)
        #expect(output.manifest.warnings.isEmpty)
    }

    @Test func audioIsBroughtToTheLoudnessThatWasAskedFor() async throws {
        let source = try await Clip(
            video: .none, audio: .graph("aevalsrc='0.0708*sin(1000*2*PI*t)|0.0708*sin(1000*2*PI*t)':s=48000:d=4"),
            options: ["-c:a", "pcm_s24le"], suffix: "mkv"
        ).make()
        let output = try await Transcoded(
            source, into: scratch.path("out"), settings: TranscodeSettings(formats: [.mp4]).with { $0.loudness = -16 })
        let track = try #require(output.plan.audio.first)
        let loudness = try #require(track.loudness)
        let (integrated, gain) = (try #require(loudness.integrated), try #require(loudness.gain))
        #expect(abs(integrated + 23) <= 0.1 && abs(gain - 7) <= 0.1)
        let written = try await Oracle.loudness(output.path(track.mp4Key))
        #expect(abs(written.integrated + 16) <= 0.2)
        #expect(output.manifest.warnings.isEmpty)
    }

    @Test func peaksLimitTheGainWithAWarning() async throws {
        // A quiet tone with a loud beep.
        let source = try await Clip(
            video: .none,
            audio: .graph("aevalsrc='0.03*sin(1000*2*PI*t)+0.4*sin(500*2*PI*t)*between(t,2,2.02)':s=48000:d=4"),
            options: ["-c:a", "pcm_s24le"], suffix: "mkv"
        ).make()
        let output = try await Transcoded(
            source, into: scratch.path("out"), settings: TranscodeSettings(formats: [.mp4]).with { $0.loudness = -10 })
        let loudness = try #require(output.plan.audio.first?.loudness)
        let (peak, gain) = (try #require(loudness.truePeak), try #require(loudness.gain))
        #expect(abs(peak + gain + 1) <= 0.02)
        #expect(output.manifest.warnings.map(\.code) == [.loudnessLimited])
    }

    @Test func everyLanguageAndRoleIsInTheProgressiveFile() async throws {
        let source = try await Clip(
            audio: .tone(channels: 2),
            options: [
                "-map", "1", "-map", "1", "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=eng",
                "-metadata:s:a:1", "title=By the director", "-metadata:s:a:2", "language=fra", "-disposition:a:0",
                "default", "-disposition:a:1", "comment", "-disposition:a:2", "0",
            ], suffix: "mkv"
        ).make()
        let output = try await Transcoded(
            source, into: scratch.path("out"), settings: .quick.with { $0.formats = [.mp4] })
        #expect(
            output.plan.audio.map(\.id) == ["eng-aac-128k", "fra-aac-128k", "eng-commentary-aac-128k"])
        #expect(output.plan.audio.last?.role == .commentary && output.plan.audio.last?.title == "By the director")
        let file = output.path(try #require(output.rungs.first).mp4Key)
        let packets = try await Oracle.probe(file, "packets", "-select_streams", "a")
        for index in 1...3 { #expect(packets.count { $0["stream_index"] == "\(index)" } > 180) }
        #expect(try await Oracle.complaints(file) == "")
        let french = try await Transcoded(
            source, into: scratch.path("french"),
            settings: .quick.with {
                $0.formats = [.mp4]
                $0.audioLanguages = ["fr"]
            })
        #expect(french.plan.audio.map(\.id) == ["fra-aac-128k"])
    }
}
