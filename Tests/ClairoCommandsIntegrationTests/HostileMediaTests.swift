import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

/// Files that name other files and addresses, in every way that a demuxer of libav supports. They are refused, and
/// nothing that they name is opened: strace records system calls, and a canary listens at the named addresses. The
/// allow-lists of formats suffice for that, without a sandbox.
@Suite(.sharesMachine, .enabled(if: TestTools.path(of: "strace") != nil, "strace is not installed"))
struct HostileMediaTests {
    let scratch: Scratch
    let canary: Canary
    init() throws {
        scratch = try Scratch()
        canary = try Canary(path: scratch.path("socket"))
    }

    /// The names used in the files: a sibling, absolute paths and addresses.
    private var targets: [String] {
        let victim = scratch.path("victim.ts")
        return [
            "victim.ts", "./victim.ts", victim, "file:victim.ts", "file://\(victim)", "crypto+file://\(victim)",
            "crypto:\(victim)", "concat:\(victim)|\(victim)", "subfile,,start,0,end,0,,:\(victim)", "cache:\(victim)",
            "data:video/mp2t;base64,R0AAEAA=", "http://127.0.0.1:\(canary.port)/a.ts",
            "hls+http://127.0.0.1:\(canary.port)/a.m3u8", "tcp://127.0.0.1:\(canary.port)", "unix:\(canary.path)",
            "rtmp://127.0.0.1:\(canary.port)/a", "ftp://127.0.0.1:\(canary.port)/a.ts",
        ]
    }

    /// The files, by name.
    private func makeFiles() async throws -> [String] {
        let clip = try await Clip(seconds: 2, suffix: "ts").make()
        try FileManager.default.copyItem(atPath: clip.path, toPath: scratch.path("victim.ts"))
        let address = "http://127.0.0.1:\(canary.port)/a"
        let victim = scratch.path("victim.ts")
        let list: String = targets.map { "#EXTINF:2,\n\($0)\n" }.joined()
        let hls = "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n"
        let keys = "#EXT-X-KEY:METHOD=AES-128,URI=\"\(address)\"\n#EXT-X-MAP:URI=\"\(victim)\"\n#EXTINF:2,\nvictim.ts\n"
        let script: String = targets.map { "file '\($0)'\n" }.joined()
        let sets: String = [address, victim, "file://\(victim)"].map { url in
            """
            <AdaptationSet mimeType="video/mp2t"><Representation id="a" bandwidth="1"><BaseURL>\(url)</BaseURL>\
            <SegmentBase/></Representation></AdaptationSet>
            """
        }.joined()
        let type = "type=\"static\" mediaPresentationDuration=\"PT2S\""
        let dash = "<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" \(type)><Period>\(sets)</Period></MPD>"
        let texts: [(suffixes: [String], content: String)] = [
            (["m3u8", "mp4", "ts", "mkv", "mp3"], "\(hls)\(list)#EXT-X-ENDLIST\n"),
            (["m3u8", "mp4"], "\(hls)\(keys)#EXT-X-ENDLIST\n"),
            (
                ["m3u8", "mov"],
                "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n\(address).m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=2\n\(victim)\n"
            ),
            (["ffconcat", "mp4"], "ffconcat version 1.0\n\(script)"),
            (["txt", "mkv"], script),
            (["mpd", "mp4"], "<?xml version=\"1.0\"?>\(dash)"),
            (
                ["sdp", "mp4"],
                "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video \(canary.port) RTP/AVP 33\na=control:\(address)\n"
            ),
            (["asx", "wmv"], "[Reference]\nRef1=\(address)\nRef2=\(victim)\n"),
            (
                ["smil", "mp4"],
                "<smil><body><video src=\"\(address)\"/><video src=\"\(victim)\"/></body></smil>"
            ),
            (
                ["svg", "mp4"],
                "<svg xmlns=\"http://www.w3.org/2000/svg\"><image href=\"\(address)\"/><image href=\"\(victim)\"/></svg>"
            ),
            (
                ["ass", "mkv"],
                "[Script Info]\nScriptType: v4.00+\n[V4+ Styles]\nFormat: Name, Fontname\nStyle: Default,\(victim)\n[Fonts]\nfontname: \(victim)\n[Events]\nFormat: Start, End, Text\nDialogue: 0:00:00.00,0:00:02.00,{\\fn\(victim)}x\n"
            ),
            (["vpy", "avs"], "import sys\nAviSource(\"\(victim)\")\n"),
        ]
        var names: [String] = []
        for (index, text) in texts.enumerated() {
            for suffix in text.suffixes {
                let name = "hostile-\(index).\(suffix)"
                try scratch.write(text.content, to: name)
                names.append(name)
            }
        }
        // A movie that declares its samples to be in another file (QuickTime File Format, data reference atoms).
        let film = try Data(contentsOf: await Clip(seconds: 2, audio: .none, suffix: "mov").make())
        for (name, reference) in [
            ("alias.mov", DataReference.alias(victim)), ("url.mov", .url("file://\(victim)")),
            ("http.mov", .url(address)),
        ] {
            try film.replacingDataReferences(by: reference).write(to: scratch.url(name))
            names.append(name)
        }
        return names
    }

    /// Runs the binary and its children under strace.
    /// - Returns: The outcome, and the accesses to the folder and the network other than to its input.
    private func watched(_ arguments: [String], input: String) async throws -> (ChildProcess.Outcome, reached: [String])
    {
        let log = scratch.path("strace-\(UUID().uuidString)")
        // Stops the program at these calls only. With a sandbox it has to stop at all of them, because the sandbox's own
        // filter would refuse the calls before strace sees them.
        let filter = arguments.contains("off") ? ["--seccomp-bpf"] : []
        let outcome = try await ChildProcess(
            "strace",
            ["-f", "-qq", "-s", "4096", "-e", "trace=open,openat,openat2,connect,execve", "-o", log] + filter
                + [ClairoProcess.path] + arguments, in: scratch.path,
            environment: ["CLAIRO_HOME": scratch.path("home"), "HOME": scratch.path("home")]
        ).outcome()
        let calls = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n").map(String.init)
        try #require(calls.contains { $0.contains(input) }, "strace saw nothing: \(outcome)")
        return (
            outcome,
            calls.filter { call in
                call.contains("victim") || call.contains("sin_port=htons(\(canary.port))")
                    || call.contains(canary.path) || call.contains("AF_INET")
            }
        )
    }

    @Test(arguments: [
        ["probe"], ["probe", "--sandbox", "off"], ["transcode", "--progress", "none", "--force", "-o", "out"],
        ["transcode", "--progress", "none", "--force", "-o", "out", "--sandbox", "off"],
        ["upload", "--progress", "none"],
    ])
    func transcodeOpensNothingThatAFileNames(_ command: [String]) async throws {
        let files = try await makeFiles()
        // In the sandbox, all commands probe alike. Only movies get further, and strace makes each run take a second.
        let isLikeProbe = command[0] != "probe" && !command.contains("off")
        for name in isLikeProbe ? files.suffix(4) : files[...] {
            let (outcome, reached) = try await watched(command + [name], input: name)
            #expect(reached == [], "\(command) \(name)")
            // A file that contains its samples but declares them to be elsewhere is a valid movie: its own samples are
            // used.
            if ["url.mov", "http.mov"].contains(name) { continue }
            if command.first == "probe", name == "alias.mov" {
                #expect(outcome.text.contains(" 0 frames"), "\(outcome)")
            } else {
                #expect(outcome.status == 65, "\(name): \(outcome)")
            }
        }
        #expect(canary.connections == 0)
    }

    @Test(arguments: ["process", "inline"])
    func aWorkerOpensNothingThatAFileNames(executor: String) async throws {
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch)
        var ids: [String: VideoID] = [:]
        for name in try await makeFiles() { ids[name] = try await pipeline.uploadWithoutProbe(scratch.path(name)) }
        let log = scratch.path("strace")
        let worker = try ChildProcess(
            "strace",
            ["-f", "-qq", "-s", "4096", "-e", "trace=open,openat,openat2,connect", "-o", log, ClairoProcess.path]
                + ["consume", "--until-idle", "--concurrency", "2", "--executor", executor],
            environment: pipeline.site.environment, deadline: .seconds(600))
        #expect(try await worker.outcome().status == 0)
        let calls = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n").map(String.init)
        #expect(calls.contains { $0.contains("videos/") })
        #expect(calls.filter { $0.contains("victim") || $0.contains("AF_INET") || $0.contains(canary.path) } == [])
        #expect(canary.connections == 0)
        for (name, id) in ids where !["url.mov", "http.mov"].contains(name) {
            let video = try await pipeline.video(id)
            #expect(video.state == .failed && video.error?.kind == .badInput, "\(name): \(video)")
        }
    }
}

/// The declared location of the samples of a QuickTime movie.
private enum DataReference {
    /// A Macintosh alias record, in the format that libav reads.
    case alias(String)
    case url(String)

    var box: Data {
        switch self {
        case .url(let url): return Data.box("url ", Data(count: 4) + Data(url.utf8) + [0])
        case .alias(let path):
            let name = Data((path as NSString).lastPathComponent.utf8)
            var record = Data(count: 4 + 10)
            record.append(1)
            record.append(Data("x".utf8))
            record.append(Data(count: 26 + 12))
            record.append(UInt8(name.count))
            record.append(name)
            record.append(Data(count: 63 - name.count + 16))
            record.append(contentsOf: [0, 1, 0, 1])
            record.append(Data(count: 16))
            for (type, text) in [(UInt8(2), path), (UInt8(0), "folder")] {
                let length = text.utf8.count
                record.append(contentsOf: [0, type, UInt8(length >> 8), UInt8(length & 0xFF)])
                record.append(Data(text.utf8))
                if length % 2 == 1 { record.append(0) }
            }
            record.append(contentsOf: [0xFF, 0xFF, 0, 0])
            return Data.box("alis", record)
        }
    }
}

extension Data {
    fileprivate static func box(_ type: String, _ content: Data) -> Data {
        Data((0..<4).map { UInt8(truncatingIfNeeded: (content.count + 8) >> (24 - 8 * $0)) }) + Data(type.utf8)
            + content
    }

    /// The movie with every entry of its `dref` boxes replaced. Its index follows the samples, whose offsets do not
    /// change.
    fileprivate func replacingDataReferences(by reference: DataReference) -> Data {
        var result = Data()
        var rest = self[...]
        while rest.count >= 8 {
            let length = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
            let type = String(decoding: rest.dropFirst(4).prefix(4), as: UTF8.self)
            let content = Data(rest.dropFirst(8).prefix(length - 8))
            switch type {
            case "moov", "trak", "mdia", "minf", "dinf":
                result.append(Data.box(type, content.replacingDataReferences(by: reference)))
            case "dref": result.append(Data.box(type, Data([0, 0, 0, 0, 0, 0, 0, 1]) + reference.box))
            default: result.append(contentsOf: rest.prefix(length))
            }
            rest = rest.dropFirst(Swift.max(length, 8))
        }
        return result
    }
}
