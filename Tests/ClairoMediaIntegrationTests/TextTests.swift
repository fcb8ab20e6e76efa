import ClairoCore
import ClairoStorage
import ClairoTestSupport
import Foundation
import Testing

@testable import ClairoMedia

/// Text tracks of real containers: what they become, and that `verify` finds damage in them.
@Suite(.sharesMachine) struct TextTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    static let clip = Clip(seconds: 4, audio: .none)
    private static let settings = TranscodeSettings.quick.with { $0.heights = [180] }

    /// Puts files together without encoding.
    private func mux(_ inputs: [[String]], _ options: [String], to name: String) async throws -> URL {
        let arguments = ["-v", "error", "-nostdin", "-y"] + inputs.flatMap { $0 } + options + [scratch.path(name)]
        let outcome = try await ChildProcess("ffmpeg", arguments).outcome()
        try #require(outcome.status == 0, "\(outcome.errors)")
        return scratch.url(name)
    }

    private func text(_ output: Transcoded, _ key: String) throws -> String {
        try String(contentsOfFile: output.folder + "/text/" + key, encoding: .utf8)
    }

    /// SubRip in Latin-1, ASS and WebVTT as streams, and a file beside the source.
    private func makeMatroska() async throws -> (URL, SubtitleFile) {
        let subRip = "1\n00:00:00,500 --> 00:00:02,500\n<i>café</i> & more\n\n"
        try (subRip.data(using: .windowsCP1252) ?? Data()).write(to: scratch.url("a.srt"))
        let format =
            "Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, "
            + "Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, "
            + "MarginR, MarginV, Encoding"
        try scratch.write(
            """
            [Script Info]
            ScriptType: v4.00+

            [V4+ Styles]
            \(format)
            Style: Default,Arial,20,&HFFFFFF,&H0,&H0,&H0,0,0,0,0,100,100,0,0,1,1,1,2,10,10,10,0
            Style: Top,Arial,20,&HFFFFFF,&H0,&H0,&H0,-1,0,0,0,100,100,0,0,1,1,1,8,10,10,10,0

            [Events]
            Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
            Dialogue: 0,0:00:01.00,0:00:03.00,Top,,0,0,0,,{\\i1}over{\\i0}\\Nbounds
            Dialogue: 0,0:00:01.00,0:00:03.00,Default,,0,0,0,,below

            """, to: "b.ass")
        try scratch.write(
            "WEBVTT\n\nid\n00:00:01.000 --> 00:00:02.500 line:10% align:start\n<i>Hello</i> &amp; <b>world</b>\n\n"
                + "00:00:03.000 --> 00:00:09.000\nbeyond the end\n", to: "c.vtt")
        let source = try await mux(
            [
                ["-i", Self.clip.make().path], ["-i", scratch.path("a.srt")], ["-i", scratch.path("b.ass")],
                ["-i", scratch.path("c.vtt")],
            ],
            [
                "-map", "0:v", "-map", "1", "-map", "2", "-map", "3", "-c", "copy", "-metadata:s:s:0", "language=fra",
                "-metadata:s:s:1", "language=eng", "-metadata:s:s:2", "language=eng", "-disposition:s:0", "default",
                "-disposition:s:1", "forced", "-disposition:s:2", "hearing_impaired",
            ], to: "source.mkv")
        let file = SubtitleFile(
            name: "side.srt", content: Data("1\r\n00:00:01,000 --> 00:00:02,000\r\nside\r\n".utf8), language: "pt-BR")
        return (source, file)
    }

    @Test func eachSubtitleStreamAndFileBecomesATrack() async throws {
        let (source, file) = try await makeMatroska()
        let output = try await Transcoded(
            source, into: scratch.path("out"), settings: Self.settings, subtitles: [file])
        let tracks = output.plan.text ?? []
        #expect(tracks.map(\.id) == ["pt-br", "fra", "eng-forced", "eng-sdh"])
        #expect(tracks.map(\.isDefault) == [false, true, false, false])
        #expect(try text(output, "pt-br.vtt") == "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nside\n")
        #expect(
            try text(output, "fra.vtt") == "WEBVTT\n\n00:00:00.500 --> 00:00:02.500\n<i>café</i> &amp; more\n")
        #expect(
            try text(output, "eng-forced.vtt")
                == "WEBVTT\n\n00:00:01.000 --> 00:00:03.000 line:0%\n<b><i>over</i>\nbounds</b>\n\n"
                + "00:00:01.000 --> 00:00:03.000\nbelow\n")
        #expect(
            try text(output, "eng-sdh.vtt")
                == "WEBVTT\n\n00:00:01.000 --> 00:00:02.500 line:10% align:start\n<i>Hello</i> &amp; <b>world</b>\n\n"
                + "00:00:03.000 --> 00:00:04.000\nbeyond the end\n")
        // A cue that is shown in two segments is in both, with the same times.
        let map = "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n"
        for name in ["00001", "00002"] {
            #expect(
                try text(output, "fra/\(name).vtt")
                    == map + "\n00:00:00.500 --> 00:00:02.500\n<i>café</i> &amp; more\n")
        }
        #expect(try text(output, "pt-br/00002.vtt") == map)
        let playlist = try HLSParser.media(Data(text(output, "fra/playlist.m3u8").utf8))
        #expect(playlist.segments.map(\.uri) == ["00001.vtt", "00002.vtt"])
        #expect(playlist.segments.reduce(Rational.zero) { $0 + $1.duration } == Rational(4))
        #expect(playlist.map == nil && playlist.hasEndList)
        #expect(output.manifest.warnings.map(\.code) == [.textChanged])
        #expect(output.manifest.warnings.first?.message.contains("Windows-1252") == true)

        try await damageIsFound(in: VerifierTests.Output(folder: output.folder))
    }

    /// Whoever changes a file may also change its checksum.
    private func damageIsFound(in output: VerifierTests.Output) async throws {
        func problems() async throws -> Set<String> {
            let store = output.store
            let report = try await onDedicatedThread(name: "test verify") { try Verifier(store: store).run() }
            return Set(report.problems.map(\.name))
        }
        #expect(try await problems() == [])
        let damages: [(String, (Data) -> Data)] = [
            ("text/fra/00001.vtt", { $0.dropLast(5) }), ("text/fra/00002.vtt", { _ in Data("WEBVTT\n".utf8) }),
            ("text/eng-sdh.vtt", { Data(String(decoding: $0, as: UTF8.self).replacing("Hello", with: "Jello").utf8) }),
            ("text/eng-forced.vtt", { $0.prefix(40) }),
        ]
        for (key, damage) in damages {
            let intact = try output.bytes(key)
            try output.write(damage(intact), to: key)
            #expect(try await problems().contains("checksum"), "\(key)")
            try output.recordChecksums()
            #expect(try await problems().contains("text"), "\(key)")
            try output.write(intact, to: key)
            try output.recordChecksums()
        }
        try output.swap("text/fra/00001.vtt", "text/eng-sdh/00001.vtt")
        try output.recordChecksums()
        #expect(try await problems().contains("text"))
        try FileManager.default.removeItem(at: output.url("text/pt-br.vtt"))
        #expect(try await problems().contains("checksum"))
    }

    @Test func timedTextAndCaptionsOfQuickTimeBecomeTracks() async throws {
        try scratch.write(
            "1\n00:00:01,000 --> 00:00:02,500\n<i>Hello</i> & <b>world</b>\n\n", to: "a.srt")
        try scratch.write(
            """
            Scenarist_SCC V1.0

            00:00:01:00\t9420 9420 94ae 94ae 9470 9470 c8e5 ecec ef80 942f 942f

            00:00:03:00\t942c 942c

            """, to: "a.scc")
        let source = try await mux(
            [["-i", Self.clip.make().path], ["-i", scratch.path("a.srt")], ["-i", scratch.path("a.scc")]],
            [
                "-map", "0:v", "-map", "1", "-map", "2", "-c:v", "copy", "-c:s:0", "mov_text", "-c:s:1", "copy",
                "-metadata:s:s:0", "language=eng",
            ], to: "source.mov")
        let output = try await Transcoded(source, into: scratch.path("out"), settings: Self.settings)
        #expect(output.plan.text?.map(\.id) == ["eng", "und-sdh"])
        #expect(
            try text(output, "eng.vtt")
                == "WEBVTT\n\n00:00:01.000 --> 00:00:02.500\n<i>Hello</i> &amp; <b>world</b>\n")
        #expect(
            try text(output, "und-sdh.vtt")
                == "WEBVTT\n\n00:00:01.000 --> 00:00:03.000 line:84.67% position:10% align:left\nHello\n")
        #expect(output.manifest.warnings == [])

        let none = try await Transcoded(
            source, into: scratch.path("none"), settings: Self.settings.with { $0.subtitles = "none" },
            resources: TranscodeResources(verifies: false))
        #expect(none.plan.text == nil)
        #expect(!FileManager.default.fileExists(atPath: none.folder + "/text"))
    }

    /// Captions within the pictures, made by the tasks of a job of which one track was made twice.
    @Test func captionsInThePicturesBecomeATrack() async throws {
        let raw = Clip(seconds: 4, audio: .none, options: ["-bf", "0"], suffix: "h264")
        var pictures = CaptionedPictures(try Data(contentsOf: await raw.make()))
        pictures.add(
            [
                10: [(0x14, 0x20)], 11: [(0x14, 0x20)], 12: [(0x14, 0x70)], 13: [(0x14, 0x70)],
                14: [(0x48, 0x45)], 15: [(0x4C, 0x4C)], 16: [(0x4F, 0x00)], 25: [(0x14, 0x2F)], 26: [(0x14, 0x2F)],
                75: [(0x14, 0x2C)], 76: [(0x14, 0x2C)],
            ])
        try pictures.data.write(to: scratch.url("captioned.h264"))
        let source = try await mux(
            [["-f", "h264", "-r", "25", "-i", scratch.path("captioned.h264")]], ["-c", "copy"], to: "source.mp4")
        let info = try await probe(source)
        #expect(info.subtitles.map(\.service) == [.cea608(channel: 1)])

        let job = TaskJob(
            source: try FileByteSource(path: source.path), name: "source.mp4", settings: Self.settings,
            output: MemoryStore())
        let (plan, _) = try await job.plan(TaskEngineTests.engine)
        #expect(plan.text?.map(\.id) == ["und-sdh"])
        _ = try await job.makeSegments(of: plan, TaskEngineTests.engine)
        var again = plan
        again.note(attempt: 2, of: .track, index: 0)
        try job.rename(plan, to: again)
        _ = try await job.finish(again, TaskEngineTests.engine)
        let keys = Set(try job.output.list(prefix: "text/").map(\.rawValue))
        #expect(
            keys == [
                "text/und-sdh-2.vtt", "text/und-sdh/00001-2.vtt", "text/und-sdh/00002-2.vtt",
                "text/und-sdh/playlist.m3u8",
            ])
        #expect(
            String(decoding: try job.output.get("text/und-sdh-2.vtt"), as: UTF8.self)
                == "WEBVTT\n\n00:00:01.000 --> 00:00:03.000 line:84.67% position:10% align:left\nHELLO\n")
        let report = try await onDedicatedThread(name: "test verify") { try Verifier(store: job.output).run() }
        #expect(report.problems == [])
    }
}

/// Raw H.264 without B frames, to which captions are added as broadcasters do (ATSC A/53 part 4).
private struct CaptionedPictures {
    private(set) var data: Data

    init(_ data: Data) { self.data = data }

    /// - Parameter pairs: The bytes of field 1, without parity, by the number of the picture.
    mutating func add(_ pairs: [Int: [(UInt8, UInt8)]]) {
        var result = Data()
        var picture = 0
        let bytes = [UInt8](data)
        var index = 0
        while index < bytes.count {
            let isStart = index + 4 < bytes.count && bytes[index..<index + 3].elementsEqual([0, 0, 1])
            // The first slice of a picture begins with macroblock 0, which is written as a one bit.
            if isStart, [1, 5].contains(bytes[index + 3] & 0x1F), bytes[index + 4] & 0x80 != 0 {
                result += message(pairs[picture] ?? [(0, 0)])
                picture += 1
            }
            if isStart {
                result += bytes[index..<index + 4]
                index += 4
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        data = result
    }

    private func message(_ pairs: [(UInt8, UInt8)]) -> Data {
        func odd(_ byte: UInt8) -> UInt8 { byte.nonzeroBitCount % 2 == 1 ? byte : byte | 0x80 }
        let triplets: [UInt8] = pairs.flatMap { [0xFC, odd($0.0), odd($0.1)] as [UInt8] }
        let payload: [UInt8] =
            [0xB5, 0x00, 0x31, 0x47, 0x41, 0x39, 0x34, 0x03, 0x40 | UInt8(pairs.count), 0xFF] + triplets + [0xFF]
        return Data([0, 0, 1, 0x06, 0x04, UInt8(payload.count)] + payload + [0x80])
    }
}
