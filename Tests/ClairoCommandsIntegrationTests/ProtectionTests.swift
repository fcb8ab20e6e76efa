import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

/// Encrypted output, decrypted by ffmpeg, openssl and Chromium, and searched for its keys.
@Suite(.sharesMachine) struct ProtectionTests {
    private static let keyID = "00112233445566778899aabbccddeeff"
    private static let key = "6b65792d6f662d70726f746563743031"
    /// Its segments have one GOP of two seconds each.
    private static let clip = Clip(width: 640, height: 360, seconds: 8, video: .numbers)

    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private func keyFile(_ text: String = "\(keyID):\(key)\n", name: String = "keys.txt") throws -> String {
        try scratch.write(text, to: name)
    }

    /// Transcodes the clip, and encrypts it if a scheme is given.
    private func transcode(_ scheme: String?, to name: String, _ more: String...) async throws -> ChildProcess.Outcome {
        var arguments = [
            "transcode", try await Self.clip.make().path, "-o", scratch.path(name), "--preset", "ultrafast",
            "--heights", "360", "--segment-seconds", "2",
        ]
        if let scheme {
            arguments += ["--encrypt", scheme, "--key-file", try keyFile()]
        } else {
            arguments += ["--format", "hls"]
        }
        let outcome = try await ClairoProcess.run(arguments: arguments + more)
        #expect(outcome.status == 0, "\(outcome)")
        return outcome
    }

    /// The init segment and all segments of a rendition as one file.
    private func joined(_ folder: String, _ name: String) throws -> String {
        let all = try contents(below: scratch.path(folder)).filter {
            $0.key.hasSuffix(".mp4") || $0.key.hasSuffix(".m4s")
        }
        let ordered = all.sorted {
            ($0.key.hasSuffix(".m4s") ? 1 : 0, $0.key) < ($1.key.hasSuffix(".m4s") ? 1 : 0, $1.key)
        }
        let path = scratch.path(name)
        try ordered.reduce(Data()) { $0 + $1.value }.write(to: URL(filePath: path))
        return path
    }

    /// What ffmpeg decodes.
    private func decode(_ path: String, key: String?, _ output: [String]) async throws -> ChildProcess.Outcome {
        try await ChildProcess(
            "ffmpeg",
            // ffmpeg 5.1 takes the data of the wrong fragment if it can look ahead.
            ["-v", "error", "-nostdin", "-seekable", "0"] + (key.map { ["-decryption_key", $0] } ?? []) + ["-i", path]
                + output + ["-"]
        ).outcome()
    }

    private static let video = ["-map", "0:v:0", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "yuv420p"]
    private static let audio = ["-map", "0:a:0", "-f", "s16le"]

    private func audioFolder(_ output: String) throws -> String {
        let name = try #require(FileManager.default.contentsOfDirectory(atPath: scratch.path("\(output)/audio")).first)
        return "audio/\(name)"
    }

    @Test(arguments: ["cbcs", "cenc"]) func ffmpegDecryptsTheSameFramesAndSamples(scheme: String) async throws {
        let outcome = try await transcode(scheme, to: "protected")
        _ = try await transcode(nil, to: "plain")
        for (folder, output) in [("video/360p", Self.video), (try audioFolder("plain"), Self.audio)] {
            let kind = String(folder.prefix(5))
            let plain = try await decode(joined("plain/\(folder)", "plain-\(kind).mp4"), key: nil, output)
            let file = try joined("protected/\(folder)", "protected-\(kind).mp4")
            let decrypted = try await decode(file, key: Self.key, output)
            #expect(plain.status == 0 && plain.output.count > 100_000)
            #expect(decrypted.status == 0 && decrypted.errors.isEmpty, "\(decrypted.errors.prefix(500))")
            // Data that differs would be compared byte by byte for minutes.
            let isSame = decrypted.output == plain.output
            #expect(isSame, "\(folder)")
            let wrong = try await decode(file, key: String(Self.key.reversed()), output)
            let isEncrypted = wrong.output != plain.output
            #expect(isEncrypted, "\(folder)")
        }
        let manifest = try String(contentsOfFile: scratch.path("protected/manifest.mpd"), encoding: .utf8)
        #expect(manifest.contains("cenc:default_KID=\"00112233-4455-6677-8899-aabbccddeeff\""))
        let playlist = try String(contentsOfFile: scratch.path("protected/video/360p/playlist.m3u8"), encoding: .utf8)
        #expect(playlist.contains("#EXT-X-KEY:METHOD=SAMPLE-AES"))
        #expect(!FileManager.default.fileExists(atPath: scratch.path("protected/mp4")))
        try expectNoKey(in: "protected", outcome, Self.key)
    }

    @Test func opensslDecryptsWholeSegments() async throws {
        let outcome = try await transcode("aes-128", to: "protected")
        _ = try await transcode(nil, to: "plain")
        let plain = try contents(below: scratch.path("plain/video/360p")).filter { $0.key.hasSuffix(".m4s") }
        #expect(plain.count == 4)
        for (name, bytes) in plain {
            let number = try #require(Int(name.prefix(5)))
            let digits = String(number, radix: 16)
            let decrypted = try await ChildProcess(
                "openssl",
                [
                    "enc", "-d", "-aes-128-cbc", "-K", Self.key, "-iv",
                    String(repeating: "0", count: 32 - digits.count) + digits, "-in",
                    scratch.path("protected/video/360p/\(name)"),
                ]
            ).outcome()
            let isSame = decrypted.output == bytes
            #expect(decrypted.status == 0 && isSame, "\(name)")
        }
        let playlist = try String(contentsOfFile: scratch.path("protected/video/360p/playlist.m3u8"), encoding: .utf8)
        #expect(
            playlist.contains("#EXT-X-KEY:METHOD=AES-128,URI=\"/keys/\(Self.keyID)\",KEYFORMAT=\"identity\""),
            "\(playlist)")
        // Parts of a segment cannot be decrypted, and DASH has no such encryption.
        for name in ["video/360p/iframes.m3u8", "manifest.mpd", "mp4"] {
            #expect(!FileManager.default.fileExists(atPath: scratch.path("protected/\(name)")))
        }
        try expectNoKey(in: "protected", outcome, Self.key)
    }

    @Test(arguments: ["aes-128", "cbcs", "cenc"]) func verifyNeedsTheKeysAndFindsDamage(scheme: String) async throws {
        _ = try await transcode(scheme, to: "out", "--clear-lead", "1")
        let out = scratch.path("out")
        let right = try await ClairoProcess.run("verify", out, "--key-file", keyFile())
        #expect(right.status == 0, "\(right)")
        let none = try await ClairoProcess.run("verify", out)
        #expect(none.status == 64 && none.errors.contains("--key-file"))
        let other = try keyFile("ffeeddccbbaa99887766554433221100:\(Self.key)\n", name: "other.txt")
        #expect(try await ClairoProcess.run("verify", out, "--key-file", other).status == 78)
        let wrong = try keyFile("\(Self.keyID):\(String(Self.key.reversed()))\n", name: "wrong.txt")
        #expect(try await ClairoProcess.run("verify", out, "--key-file", wrong).status == 65)
        // A byte of an encrypted segment.
        let segment = URL(filePath: "\(out)/video/360p/00003.m4s")
        var bytes = try Data(contentsOf: segment)
        bytes[bytes.endIndex - 20] ^= 0x10
        try bytes.write(to: segment)
        let damaged = try await ClairoProcess.run("verify", out, "--key-file", keyFile())
        #expect(damaged.status == 65, "\(damaged)")
    }

    /// What follows the first `mdat` header.
    private func media(_ segment: Data) throws -> Data {
        segment[try #require(segment.range(of: Data("mdat".utf8))).upperBound...]
    }

    @Test func theClearLeadIsClear() async throws {
        _ = try await transcode("cbcs", to: "protected", "--clear-lead", "2.5")
        _ = try await transcode(nil, to: "plain")
        let (protected, plain) = (
            try contents(below: scratch.path("protected/video/360p")),
            try contents(below: scratch.path("plain/video/360p"))
        )
        for name in ["00001.m4s", "00002.m4s", "00003.m4s", "00004.m4s"] {
            // Only the boxes in front of the samples may differ.
            let isClear = try media(#require(protected[name])) == media(#require(plain[name]))
            #expect(isClear == (name < "00003"), "\(name)")
        }
        let playlist = try String(contentsOfFile: scratch.path("protected/video/360p/playlist.m3u8"), encoding: .utf8)
        let lines = playlist.split(separator: "\n").map(String.init)
        let key = try #require(lines.firstIndex { $0.hasPrefix("#EXT-X-KEY") })
        #expect(lines[key - 1] == "00002.m4s" && lines[key + 2] == "00003.m4s")
    }

    @Test func encryptionNeedsKeysAndKeysNeedEncryption() async throws {
        let source = try await Clip(seconds: 1).make().path
        let out = scratch.path("out")
        let none = try await ClairoProcess.run("transcode", source, "-o", out, "--encrypt", "cbcs")
        #expect(none.status == 64 && none.errors.contains("--key-file"))
        #expect(try await ClairoProcess.run("transcode", source, "-o", out, "--key-file", keyFile()).status == 64)
        let bad = try keyFile("\(Self.keyID)=\(Self.key)\n", name: "bad.txt")
        let unread = try await ClairoProcess.run(
            "transcode", source, "-o", out, "--encrypt", "cbcs", "--key-file", bad)
        #expect(unread.status == 78 && !unread.errors.contains(Self.key), "\(unread)")
    }

    // MARK: The pipeline

    /// Nothing that the pipeline writes or says has a key or the secret that keys derive from.
    @Test func thePipelineEncryptsAndKeepsItsKeys() async throws {
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch)
        let secret = "5ec7e75ec7e75ec7e75ec7e75ec7e75ec7e7"
        let more = [
            "CLAIRO_MASTER_KEY_FILE": try scratch.write(secret + "\n", to: "master"),
            "CLAIRO_PROFILES": try scratch.write(
                "default: {preset: ultrafast, segment-seconds: 1, chunk-cpu-seconds: 0.02, encrypt: cbcs}\n",
                to: "encrypting.yaml"),
        ]
        let source = try await Clip(seconds: 3).make().path
        let outcome = try await pipeline.clairo("run", source, more: more)
        #expect(outcome.status == 0, "\(outcome)")
        let videos = try await pipeline.site.inspect { try await $0.videos(VideoFilter()) }
        let video = try #require(videos.first)
        let printed = try await pipeline.clairo("key", video.id.rawValue, more: more)
        #expect(printed.status == 0, "\(printed)")
        let lines = printed.text.split(separator: "\n").map(String.init)
        #expect(lines.count == 2 && lines[0].hasPrefix("video ") && lines[1].hasPrefix("audio "))
        let keys = try lines.map { try #require($0.split(separator: ":").last.map(String.init)) }
        #expect(Set(keys).count == 2)
        let home = try #require(pipeline.site.environment["CLAIRO_HOME"])
        for key in keys { try expectNoKey(below: home, outcome, key) }
        try expectNoKey(below: home, outcome, secret)

        let master = try #require(video.output?.masterPlaylist.flatMap(URL.init(string:))?.path)
        let keyFile = try keyFile(printed.text)
        let verified = try await ClairoProcess.run(
            "verify", (master as NSString).deletingLastPathComponent, "--key-file", keyFile)
        #expect(verified.status == 0, "\(verified)")
    }

    @Test func workersWithoutTheSecretLeaveEncryptedJobsWaiting() async throws {
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch)
        let profiles = [
            "CLAIRO_PROFILES": try scratch.write("default: {encrypt: cbcs, preset: ultrafast}\n", to: "p.yaml")
        ]
        let id = try await pipeline.upload(try await Clip(seconds: 2).make())
        let worker = try pipeline.start(["consume"], more: profiles)
        #expect(await worker.line(on: .messages) { $0.contains("no master secret") } != nil)
        #expect(try await pipeline.video(id).state != .failed)
        worker.send(SIGTERM)
        _ = try await worker.outcome()
    }

    // MARK: Searching

    private func expectNoKey(in folder: String, _ outcome: ChildProcess.Outcome, _ key: String) throws {
        try expectNoKey(below: scratch.path(folder), outcome, key)
    }

    /// Searches files and messages for a secret: as text in any case, as bytes, and in Base64.
    private func expectNoKey(below folder: String, _ outcome: ChildProcess.Outcome, _ secret: String) throws {
        var forms = [Data(secret.utf8), Data(secret.uppercased().utf8)]
        if let bytes = Data(hexadecimal: secret) {
            let base64 = bytes.base64EncodedString().prefix { $0 != "=" }
            forms += [bytes, Data(base64.utf8), Data(base64.replacing("+", with: "-").replacing("/", with: "_").utf8)]
        }
        var texts = try contents(below: folder)
        #expect(!texts.isEmpty)
        texts["standard output"] = outcome.output
        texts["standard error"] = outcome.messages
        for (name, data) in texts {
            for form in forms { #expect(data.range(of: form) == nil, "\(name) holds a secret") }
        }
    }

    // MARK: Chromium

    /// Plays a rendition by Media Source Extensions and Clear Key, and reports the times of its frames. A page cannot read
    /// the pixels of protected media.
    private static func page(codec: String, scheme: String, segments: Int) -> String {
        func base64URL(_ hexadecimal: String) -> String {
            (Data(hexadecimal: hexadecimal) ?? Data()).base64EncodedString().replacing("+", with: "-")
                .replacing("/", with: "_").replacing("=", with: "")
        }
        return """
            <!doctype html><video id="v" muted playsinline></video><script>
            const v = document.getElementById('v'), shown = [];
            const type = 'video/mp4; codecs="\(codec)"';
            let isOver = false;
            function report(error) {
                if (isOver) return;
                isOver = true;
                fetch('/report', { method: 'POST', body: JSON.stringify({ error: error || null, shown }) });
            }
            function look(now, frame) {
                shown.push(frame.mediaTime);
                if (v.currentTime > 2.5 && shown.length >= 10) report(); else v.requestVideoFrameCallback(look);
            }
            async function play() {
                const access = await navigator.requestMediaKeySystemAccess('org.w3.clearkey', [{
                    initDataTypes: ['keyids'],
                    videoCapabilities: [{ contentType: type, encryptionScheme: '\(scheme)' }] }]);
                const keys = await access.createMediaKeys();
                await v.setMediaKeys(keys);
                const session = keys.createSession();
                session.addEventListener('message', () => session.update(new TextEncoder().encode(JSON.stringify({
                    keys: [{ kty: 'oct', kid: '\(base64URL(keyID))', k: '\(base64URL(key))' }], type: 'temporary' }))));
                await session.generateRequest(
                    'keyids', new TextEncoder().encode(JSON.stringify({ kids: ['\(base64URL(keyID))'] })));
                const source = new MediaSource();
                v.src = URL.createObjectURL(source);
                await new Promise(resolve => source.addEventListener('sourceopen', resolve, { once: true }));
                const buffer = source.addSourceBuffer(type);
                const names = ['init.mp4'];
                for (let n = 1; n <= \(segments); n++) names.push(String(n).padStart(5, '0') + '.m4s');
                for (const name of names) {
                    const bytes = await (await fetch('/video/360p/' + name)).arrayBuffer();
                    buffer.appendBuffer(bytes);
                    await new Promise(resolve => buffer.addEventListener('updateend', resolve, { once: true }));
                }
                source.endOfStream();
                v.requestVideoFrameCallback(look);
                await v.play();
            }
            v.addEventListener('error', () => report('media error ' + v.error.code + ' ' + v.error.message));
            play().catch(error => report('' + error));
            </script>
            """
    }

    private struct Report: Decodable {
        var error: String?
        var shown: [Double]
    }

    @Test(
        .enabled(if: HeadlessChromium.program != nil, "Chromium is not installed"), arguments: ["cbcs", "cenc"])
    func chromiumPlaysWithClearKey(scheme: String) async throws {
        _ = try await transcode(scheme, to: "out", "--clear-lead", "1")
        let manifest = try JSONDecoder().decode(
            OutputManifest.self, from: Data(contentsOf: scratch.url("out/clairo.json")))
        let codec = try #require(manifest.renditions.first?.codec)
        let visit = try await HeadlessChromium.visit(
            Self.page(codec: codec, scheme: scheme, segments: 4), servedWith: scratch.path("out"), scratch: scratch)
        let report = try JSONDecoder().decode(Report.self, from: visit.report)
        #expect(report.error == nil)
        // Beyond the clear lead.
        #expect(report.shown.contains { $0 > 2.04 })
        #expect(zip(report.shown, report.shown.dropFirst()).allSatisfy { $0 < $1 })
    }
}
