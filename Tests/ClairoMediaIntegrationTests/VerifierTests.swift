import ClairoCore
import ClairoStorage
import ClairoTestSupport
import Foundation
import Testing

@testable import ClairoMedia

/// `verify` passes an intact output and finds each kind of damage, even if the recorded checksums match it.
@Suite(.sharesMachine) struct VerifierTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    /// A finished output that a test may damage.
    struct Output {
        let folder: String
        var store: DirectoryStore { DirectoryStore(root: URL(fileURLWithPath: folder)) }

        func url(_ key: String) -> URL { URL(fileURLWithPath: folder + "/" + key) }

        func bytes(_ key: String) throws -> Data { try Data(contentsOf: url(key)) }

        func write(_ data: Data, to key: String) throws { try data.write(to: url(key)) }

        func edit(_ key: String, _ change: (String) -> String) throws {
            let old = try String(contentsOf: url(key), encoding: .utf8)
            let new = change(old)
            #expect(new != old, "nothing was changed in \(key)")
            try write(Data(new.utf8), to: key)
        }

        func swap(_ a: String, _ b: String) throws {
            let (first, second) = (try bytes(a), try bytes(b))
            try write(second, to: a)
            try write(first, to: b)
        }

        func changeManifest(_ change: (inout OutputManifest) throws -> Void) throws {
            var manifest = try JSONDecoder().decode(OutputManifest.self, from: bytes("clairo.json"))
            try change(&manifest)
            try write(JSON.encode(manifest), to: "clairo.json")
        }

        /// Records the current files, as someone would to hide the damage.
        func recordChecksums() throws {
            try changeManifest { manifest in
                manifest.files = try manifest.files.map { file in
                    let data = try bytes(file.key)
                    return FileRecord(key: file.key, bytes: Int64(data.count), sha256: Checksum.sha256(data))
                }
            }
        }
    }

    struct Damage: CustomTestStringConvertible, Sendable {
        var testDescription: String
        /// The names of checks of which at least one must fail.
        var finds: Set<String>
        var hidesChecksums = true
        var apply: @Sendable (Output) throws -> Void

        init(
            _ description: String, finds: Set<String>, hidesChecksums: Bool = true,
            _ apply: @escaping @Sendable (Output) throws -> Void
        ) {
            testDescription = description
            self.finds = finds
            self.hidesChecksums = hidesChecksums
            self.apply = apply
        }
    }

    static let second = "video/180p/00002.m4s"
    static let audio = "audio/und-aac-128k/00002.m4s"

    static let damages = [
        Damage("a segment is removed", finds: ["checksum"], hidesChecksums: false) {
            try FileManager.default.removeItem(at: $0.url(second))
        },
        Damage("an audio segment is removed", finds: ["checksum"], hidesChecksums: false) {
            try FileManager.default.removeItem(at: $0.url(audio))
        },
        Damage("a segment is truncated", finds: ["checksum"], hidesChecksums: false) {
            try $0.write($0.bytes(second).dropLast(400), to: second)
        },
        Damage("two segments are swapped", finds: ["checksum"], hidesChecksums: false) {
            try $0.swap(second, "video/180p/00003.m4s")
        },
        Damage("one byte of a segment is flipped", finds: ["checksum"], hidesChecksums: false) { output in
            var data = try output.bytes(second)
            data[data.startIndex + data.count / 2] ^= 0x10
            try output.write(data, to: second)
        },
        Damage("one byte of a progressive file is flipped", finds: ["checksum"], hidesChecksums: false) { output in
            var data = try output.bytes("mp4/96p.mp4")
            data[data.startIndex + data.count - 7] ^= 0x10
            try output.write(data, to: "mp4/96p.mp4")
        },
        Damage("a sheet of the storyboard is removed", finds: ["checksum"], hidesChecksums: false) {
            try FileManager.default.removeItem(at: $0.url("images/storyboard/00001.jpg"))
        },
        Damage("one byte of the poster is flipped", finds: ["checksum"], hidesChecksums: false) { output in
            var data = try output.bytes("poster.jpg")
            data[data.startIndex + data.count / 2] ^= 0x10
            try output.write(data, to: "poster.jpg")
        },
        Damage("the folder of the storyboard contains an extra file", finds: ["files"]) {
            try $0.write(Data("?".utf8), to: "images/storyboard/00002.jpg")
        },
        Damage("the master playlist is removed", finds: ["playlist"], hidesChecksums: false) {
            try FileManager.default.removeItem(at: $0.url("master.m3u8"))
        },
        Damage("a folder contains an extra file", finds: ["files"]) {
            try $0.write(Data("?".utf8), to: "video/180p/00099.m4s")
        },
        Damage("a segment is truncated and recorded", finds: ["segments"]) {
            try $0.write($0.bytes(second).dropLast(400), to: second)
        },
        Damage("two segments are swapped and recorded", finds: ["segments"]) {
            try $0.swap(second, "video/180p/00003.m4s")
        },
        Damage("two rungs' segments are swapped and recorded", finds: ["segments"]) {
            try $0.swap(second, "video/96p/00002.m4s")
        },
        Damage("two audio segments are swapped and recorded", finds: ["segments", "decode", "duration"]) {
            try $0.swap(audio, "audio/und-aac-128k/00003.m4s")
        },
        Damage("a segment is not media", finds: ["segments"]) {
            try $0.write(Data("<html></html>".utf8), to: second)
        },
        Damage("the coded frames are overwritten", finds: ["segments"]) { output in
            var data = try output.bytes(second)
            let middle = data.startIndex + data.count / 3
            data.replaceSubrange(middle..<middle + data.count / 3, with: Data(repeating: 0x5A, count: data.count / 3))
            try output.write(data, to: second)
        },
        Damage("BANDWIDTH is too low", finds: ["rates"]) {
            try $0.edit("master.m3u8") { $0.replacing(/:BANDWIDTH=\d+/, with: ":BANDWIDTH=1000") }
        },
        Damage("AVERAGE-BANDWIDTH is too high", finds: ["rates"]) {
            try $0.edit("master.m3u8") { $0.replacing(/AVERAGE-BANDWIDTH=\d+/, with: "AVERAGE-BANDWIDTH=99999999") }
        },
        Damage("CODECS differs", finds: ["codecs"]) {
            try $0.edit("master.m3u8") { $0.replacing(/avc1\.\w+/, with: "avc1.42E01E") }
        },
        Damage("RESOLUTION differs", finds: ["resolution"]) {
            try $0.edit("master.m3u8") { $0.replacing("RESOLUTION=320x180", with: "RESOLUTION=640x360") }
        },
        Damage("FRAME-RATE differs", finds: ["frame-rate"]) {
            try $0.edit("master.m3u8") { $0.replacing(/FRAME-RATE=[\d.]+/, with: "FRAME-RATE=50.000") }
        },
        Damage("a variant is missing", finds: ["playlist"]) {
            try $0.edit("master.m3u8") { text in
                var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
                if let index = lines.firstIndex(of: "video/96p/playlist.m3u8") {
                    lines.removeSubrange(index - 1...index)
                }
                return lines.joined(separator: "\n")
            }
        },
        Damage("the master playlist is not a playlist", finds: ["playlist"]) {
            try $0.write(Data("hello".utf8), to: "master.m3u8")
        },
        Damage("EXTINF is wrong", finds: ["segment-boundaries", "extinf-sum"]) {
            try $0.edit("video/180p/playlist.m3u8") {
                $0.replacing(/#EXTINF:2[\d.]*/, with: "#EXTINF:1.5", maxReplacements: 1)
            }
        },
        Damage("EXT-X-ENDLIST is missing", finds: ["playlist"]) {
            try $0.edit("video/180p/playlist.m3u8") { $0.replacing("#EXT-X-ENDLIST", with: "") }
        },
        Damage("EXT-X-MAP is missing", finds: ["playlist"]) {
            try $0.edit("video/180p/playlist.m3u8") { $0.replacing(/#EXT-X-MAP.*\n/, with: "") }
        },
        Damage("a playlist names a missing file", finds: ["playlist"]) {
            try $0.edit("video/180p/playlist.m3u8") { $0.replacing("00002.m4s", with: "00042.m4s") }
        },
        Damage("a playlist names a file outside", finds: ["playlist"]) {
            try $0.edit("video/180p/playlist.m3u8") { $0.replacing("00002.m4s", with: "../96p/00002.m4s") }
        },
        Damage("a playlist's segments are in another order", finds: ["segment-boundaries"]) {
            try $0.edit("video/180p/playlist.m3u8") {
                $0.replacing("00002.m4s", with: "x").replacing("00003.m4s", with: "00002.m4s").replacing(
                    "x", with: "00003.m4s")
            }
        },
        Damage("an I-frame playlist has wrong offsets", finds: ["iframes"]) {
            try $0.edit("video/180p/iframes.m3u8") {
                $0.replacing(/BYTERANGE:(\d+)@\d+/, with: { "BYTERANGE:\($0.1)@100" })
            }
        },
        Damage("the MPD's duration differs", finds: ["mpd"]) {
            try $0.edit("manifest.mpd") {
                $0.replacing(/mediaPresentationDuration="[^"]*"/, with: "mediaPresentationDuration=\"PT2S\"")
            }
        },
        Damage("the MPD has one segment too many", finds: ["mpd"]) {
            try $0.edit("manifest.mpd") { $0.replacing(/\ r="(\d+)"/, with: { " r=\"\((Int($0.1) ?? 0) + 1)\"" }) }
        },
        Damage("the MPD is not XML", finds: ["mpd"]) { try $0.write(Data("<MPD>".utf8), to: "manifest.mpd") },
        Damage("the progressive file is truncated", finds: ["mp4"]) {
            try $0.write($0.bytes("mp4/180p.mp4").dropLast(20_000), to: "mp4/180p.mp4")
        },
        Damage("the progressive file is another file", finds: ["mp4"]) {
            try $0.write($0.bytes("video/180p/init.mp4"), to: "mp4/180p.mp4")
        },
        Damage("a planned segment is not recorded", finds: ["manifest"]) { output in
            try output.changeManifest { $0.files.removeAll { $0.key == second } }
        },
        Damage("the job was not finished", finds: ["manifest"]) { output in
            try output.changeManifest { $0.state = .running }
        },
        Damage("a record names a file outside the folder", finds: ["checksum"], hidesChecksums: false) { output in
            try output.changeManifest { $0.files[0].key = "../" + $0.files[0].key }
        },
    ]

    private static let settings = TranscodeSettings.quick.with { $0.heights = [180, 96] }

    /// Made once, and copied for each test.
    private static let original = Task {
        let scratch = try Scratch()
        _ = try await Transcoded(
            Clip(seconds: 7).make(), into: scratch.path("out"), settings: settings,
            resources: TranscodeResources(verifies: false))
        return scratch
    }

    private func makeOutput() async throws -> Output {
        let original = try await Self.original.value
        try FileManager.default.copyItem(atPath: original.path("out"), toPath: scratch.path("out"))
        return Output(folder: scratch.path("out"))
    }

    private func verify(_ output: Output) async throws -> VerificationReport {
        try await onDedicatedThread(name: "test verify") { try Verifier(store: output.store).run() }
    }

    @Test func anIntactOutputPasses() async throws {
        let output = try await makeOutput()
        let report = try await verify(output)
        #expect(report.passed)
        #expect(report.problems == [])
        #expect(
            Set(report.checks.map(\.name)).isSuperset(of: [
                "manifest", "checksum", "files", "segments", "frame-count", "duration", "decode", "av-offset", "level",
                "av-end", "delay", "cmaf",
                "hls-rules", "dash-rules", "playlist", "target-duration", "segment-boundaries", "extinf-sum", "rates",
                "codecs", "resolution", "frame-rate",
                "iframes",
                "mpd", "mp4", "poster", "sheets", "tiles", "storyboard",
            ]))
    }

    @Test(arguments: damages)
    func everyKindOfDamageIsDetected(_ damage: Damage) async throws {
        let output = try await makeOutput()
        try damage.apply(output)
        if damage.hidesChecksums { try output.recordChecksums() }
        let report = try await verify(output)
        #expect(!report.passed)
        let found = Set(report.problems.map(\.name))
        #expect(!found.isDisjoint(with: damage.finds), "found: \(report.problems.map(\.detail))")
        if damage.hidesChecksums { #expect(!found.contains("checksum")) }
        #expect(report.problems.allSatisfy { !$0.detail.isEmpty && !$0.subject.isEmpty })
    }

    @Test func aFolderWithoutAnOutputIsANoInputError() async throws {
        let output = Output(folder: scratch.path)
        await #expect { try await self.verify(output) } throws: { ($0 as? ClairoError)?.exitCode == .noInput }
    }

    @Test(arguments: [[OutputFormat.hls], [.dash], [.mp4]])
    func anOutputInOneFormatPasses(formats: [OutputFormat]) async throws {
        let output = try await Transcoded(
            Clip(seconds: 3).make(), into: scratch.path("out"), settings: Self.settings.with { $0.formats = formats })
        let names = Set(output.manifest.files.map(\.key))
        #expect(names.contains("master.m3u8") == formats.contains(.hls))
        #expect(names.contains("manifest.mpd") == formats.contains(.dash))
        #expect(names.contains { $0.hasPrefix("mp4/") } == formats.contains(.mp4))
        #expect(names.contains { $0.hasSuffix(".m4s") } == (formats != [.mp4]))
        #expect(names.contains("images/storyboard/00001.jpg"))
        #expect(names.contains("images/storyboard/playlist.m3u8") == formats.contains(.hls))
        let written = try contents(below: output.folder).keys
        #expect(Set(written) == names.union(["clairo.json"]))
        #expect(try await verify(Output(folder: output.folder)).problems == [])
    }

    // MARK: One file for each rendition

    private static let file = "video/180p/media.mp4"

    static let fileDamages = [
        Damage("the index has another size of a segment", finds: ["index"]) { output in
            var data = try output.bytes(file)
            guard let index = data.range(of: Data("sidx".utf8)) else { return }
            data[index.upperBound + 35] ^= 1
            try output.write(data, to: file)
        },
        Damage("the file is truncated", finds: ["index"]) { try $0.write($0.bytes(file).dropLast(400), to: file) },
        Damage("the file is missing", finds: ["checksum"], hidesChecksums: false) {
            try FileManager.default.removeItem(at: $0.url(file))
        },
        Damage("the files of two rungs are swapped", finds: ["segments"]) {
            try $0.swap(file, "video/96p/media.mp4")
        },
        Damage("the coded frames are overwritten", finds: ["segments"]) { output in
            var data = try output.bytes(file)
            let middle = data.startIndex + data.count / 2
            data.replaceSubrange(middle..<middle + 2000, with: Data(repeating: 0x5A, count: 2000))
            try output.write(data, to: file)
        },
        Damage("a playlist has another byte range", finds: ["segment-boundaries"]) {
            try $0.edit("video/180p/playlist.m3u8") {
                $0.replacing(/BYTERANGE:(\d+)@(\d+)/, maxReplacements: 1) { "BYTERANGE:\($0.1)@1\($0.2)" }
            }
        },
        Damage("an I-frame playlist has another byte range", finds: ["iframes"]) {
            try $0.edit("video/180p/iframes.m3u8") { $0.replacing(/BYTERANGE:(\d+)@/) { "BYTERANGE:\($0.1)@1" } }
        },
        Damage("the MPD has the index elsewhere", finds: ["mpd"]) {
            try $0.edit("manifest.mpd") { $0.replacing(/indexRange="\d+-/, with: "indexRange=\"1-") }
        },
    ]

    private static let originalFiles = Task {
        let scratch = try Scratch()
        _ = try await Transcoded(
            Clip(seconds: 7).make(), into: scratch.path("out"), settings: settings.with { $0.segments = .single })
        return scratch
    }

    private func makeFiles() async throws -> Output {
        let original = try await Self.originalFiles.value
        try FileManager.default.copyItem(atPath: original.path("out"), toPath: scratch.path("out"))
        return Output(folder: scratch.path("out"))
    }

    @Test func anOutputOfOneFileForEachRenditionPlaysAndPasses() async throws {
        let output = try await makeFiles()
        #expect(try await verify(output).problems == [])
        let names = files(below: output.folder).keys
        #expect(names.filter { $0.hasSuffix(".m4s") || $0.hasSuffix("init.mp4") } == [])
        #expect(names.count { $0.hasSuffix("/media.mp4") } == 4)
        for manifest in ["master.m3u8", "manifest.mpd"] {
            let path = output.url(manifest).path
            #expect(try await Oracle.complaints(path) == "")
            let videos = try await Oracle.probe(path, "streams", "-count_frames", "-select_streams", "v")
            #expect(videos.map { $0["nb_read_frames"] } == ["175", "175"], "\(manifest)")
        }
    }

    @Test(arguments: fileDamages)
    func damageOfAFileWithAllSegmentsIsDetected(_ damage: Damage) async throws {
        let output = try await makeFiles()
        try damage.apply(output)
        if damage.hidesChecksums { try output.recordChecksums() }
        let report = try await verify(output)
        let found = Set(report.problems.map(\.name))
        #expect(!found.isDisjoint(with: damage.finds), "found: \(report.problems.map(\.detail))")
    }
}
