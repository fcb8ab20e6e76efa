import ClairoTestSupport
import Foundation
import Testing

/// Files that name other files, disguised as videos. They are refused as bad media, and what they name is not opened.
@Suite(.sharesMachine) struct DisguisedFileTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    @Test(arguments: [
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nvictim.ts\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile victim.ts\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 33\na=control:victim.ts\n",
        "<svg xmlns=\"http://www.w3.org/2000/svg\"><image href=\"victim.ts\" width=\"100\" height=\"100\"/></svg>",
        "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\" mediaPresentationDuration=\"PT2S\"><Period><AdaptationSet mimeType=\"video/mp2t\"><Representation id=\"a\" bandwidth=\"1\"><BaseURL>victim.ts</BaseURL></Representation></AdaptationSet></Period></MPD>",
        "[Reference]\nRef1=victim.ts\n",
        "!<arch>\n", "%PDF-1.4\n", "\u{0}\u{0}\u{0}\u{0}",
    ])
    func aPlaylistNamedLikeAVideoIsRefusedAndNothingItNamesIsOpened(content: String) async throws {
        let victim = try await Clip(seconds: 2, suffix: "ts").make()
        try FileManager.default.copyItem(atPath: victim.path, toPath: scratch.path("victim.ts"))
        try scratch.write(content, to: "film.mp4")
        let outcome = try await ClairoProcess.run("transcode", "film.mp4", "-o", "out", in: scratch.path)
        #expect(outcome.status == 65, "\(outcome)")
        #expect(outcome.errors.contains("film.mp4"))
        #expect(Set(files(below: scratch.path).keys) == ["victim.ts", "film.mp4"])
    }

    @Test(arguments: ["mp4", "mkv", "ts", "avi"])
    func aTruncatedFileIsRefusedUnlessPartialOutputIsAllowed(suffix: String) async throws {
        let whole = try Data(
            contentsOf: await Clip(seconds: 8, options: ["-movflags", "+faststart"], suffix: suffix).make())
        try whole.prefix(whole.count / 2).write(to: scratch.url("half.\(suffix)"))
        let outcome = try await ClairoProcess.run(
            "transcode", "half.\(suffix)", "-o", "out", "--preset", "ultrafast", in: scratch.path)
        // A transport stream has no end that could be missing.
        if suffix == "ts" {
            #expect(outcome.status == 0)
            return
        }
        #expect(outcome.status == 65, "\(outcome)")
        #expect(outcome.errors.contains("--allow-partial"))
        #expect(outcome.errors.contains(" s"), "it does not say how much was readable: \(outcome.errors)")
        let partial = try await ClairoProcess.run(
            "transcode", "half.\(suffix)", "-o", "out", "--preset", "ultrafast", "--allow-partial", in: scratch.path)
        #expect(partial.status == 0, "\(partial)")
        #expect(partial.text.contains("warning: "))
        #expect(try await ClairoProcess.run("verify", "out", in: scratch.path).status == 0)
    }

    @Test func theErrorNamesTheExceededLimit() async throws {
        let source = try await Clip(seconds: 4).make().path
        for (option, value) in [("--max-pixels", "1000"), ("--max-duration", "2"), ("--max-streams", "1")] {
            let outcome = try await ClairoProcess.run("plan", source, option, value)
            #expect(outcome.status == 65 && outcome.errors.contains(option), "\(option): \(outcome)")
        }
    }
}
