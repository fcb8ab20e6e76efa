import ClairoCore
import ClairoStorage
import ClairoTestSupport
import Foundation
import Testing

/// `clairo upload` and `clairo status`, run as users run them.
@Suite(.sharesMachine) struct UploadTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private struct Report: Decodable {
        var sentBytes: Int64
        var sameContentAs: String?
        var video: Document
    }

    /// The fields of a video's JSON that these tests check.
    private struct Document: Decodable {
        var id: VideoID
        var name: String
        var title: String?
        var sha256: String
        var media: MediaInfo?
        var source: ObjectLocation
    }

    private func report(_ outcome: ChildProcess.Outcome) throws -> Report {
        try JSONDecoder().decode(Report.self, from: outcome.output)
    }

    @Test(arguments: Deployment.Kind.available)
    func anUploadedVideoIsStoredRegisteredAndAnnounced(_ kind: Deployment.Kind) async throws {
        let site = try await Deployment.make(kind, in: scratch)
        let source = try await Clip(seconds: 1).make()
        let outcome = try await site.clairo(
            "upload", source.path, "--title", "Summer", "--priority", "high", "--tenant", "acme")
        #expect(outcome.status == 0, "\(outcome)")
        let id = try #require(VideoID(outcome.text.trimmingCharacters(in: .newlines)))
        #expect(try await site.counts() == .init(videos: 1, messages: 1, objects: 1, openUploads: 0))

        let video = try #require(try await site.inspect { try await $0.video(id) })
        let bytes = try Data(contentsOf: source)
        #expect(video.title == "Summer")
        #expect(video.priority == .high)
        #expect(video.tenant == "acme")
        #expect(video.state == .uploaded)
        #expect(video.size == Int64(bytes.count))
        #expect(video.sha256 == Checksum.sha256(bytes))
        #expect(video.media?.primaryVideo?.displaySize == FrameSize(width: 320, height: 180))
        let raw = try site.rawStore()
        #expect(try await onDedicatedThread(name: "get") { try raw.get(Video.sourceKey(id)) } == bytes)

        let message = try #require(
            try await site.inspect { try await $0.claimOutbox(.queue, owner: "test", limit: 10, leaseSeconds: 60) }
                .first)
        #expect(message.topic == "clairo.uploads")
        let content = try JSONDecoder().decode(UploadMessage.self, from: message.payload)
        #expect(content.videoID == id)
        #expect(content.url == raw.location(of: Video.sourceKey(id)).url)
        #expect(content.sha256 == video.sha256)
        #expect(content.traceID == video.traceID)
    }

    @Test(arguments: Deployment.Kind.available)
    func statusShowsOneVideoOrAll(_ kind: Deployment.Kind) async throws {
        let site = try await Deployment.make(kind, in: scratch)
        #expect(try await site.clairo("upload", Clip(seconds: 1).make().path).status == 0)
        let second = try await site.clairo("upload", Clip(seconds: 2).make().path)
        let id = second.text.trimmingCharacters(in: .newlines)
        let table = try await site.clairo("status")
        #expect(table.status == 0)
        #expect(table.text.split(separator: "\n").count == 3)
        #expect(table.text.split(separator: "\n").dropFirst().first?.hasPrefix(id) == true, "newest first")
        #expect(try await site.clairo("status", "--limit", "1").text.split(separator: "\n").count == 2)
        #expect(try await site.clairo("status", "--state", "ready").text == "No videos are ready.\n")
        let one = try await site.clairo("status", id)
        #expect(one.text.contains("2.00 s") && one.text.contains("h264 320x180"))
        let json = try await site.clairo("status", id, "--json")
        let object = try #require(try JSONSerialization.jsonObject(with: json.output) as? [String: Any])
        #expect((object["video"] as? [String: Any])?["id"] as? String == id)
        #expect(object["jobs"] as? [String] == [] && object["renditions"] as? [String] == [])
    }

    @Test(
        .enabled(
            if: Deployment.Kind.s3AndMySQL.isAvailable && TestTools.path(of: "aws") != nil, "no aws, rclone or MariaDB")
    )
    func otherClientsReadTheStoredObjectAndTheRows() async throws {
        let site = try await Deployment.make(.s3AndMySQL, in: scratch)
        let source = try await Clip(seconds: 1).make(paddedTo: 20 << 20, as: scratch.url("large.mp4"))
        let outcome = try await site.clairo("upload", source.path, "--title", "Überall")
        let id = outcome.text.trimmingCharacters(in: .newlines)
        let aws = try ChildProcess(
            try #require(TestTools.path(of: "aws")),
            ["s3", "cp", "\(site.rawStoreURL)/videos/\(id)/source", scratch.path("copy.mp4")],
            environment: site.environment)
        #expect(try await aws.outcome().status == 0)
        #expect(try Data(contentsOf: scratch.url("copy.mp4")) == Data(contentsOf: source))
        let database = String(site.databaseURL.split(separator: "/").last ?? "")
        let row = try await MariaDBServer.shared.run(
            "SELECT state, title, size FROM videos WHERE id = '\(id)'", in: database)
        #expect(row == "uploaded\tÜberall\t\(20 << 20)\n")
    }

    @Test func aSignalEndsTheWaitForAVideo() async throws {
        let site = try await Deployment.make(.zeroService, in: scratch)
        let source = try await Clip(seconds: 1).make()
        let clairo = try ClairoProcess.start(["upload", source.path, "--wait"], environment: site.environment)
        #expect(await clairo.line(on: .messages) { $0.hasSuffix("is uploaded") } != nil)
        clairo.send(SIGINT)
        #expect(try await clairo.outcome().status == 130)
        #expect(try await site.counts().videos == 1)
    }

    @Test func watchShowsEachChange() async throws {
        let site = try await Deployment.make(.zeroService, in: scratch)
        #expect(try await site.clairo("status").text == "No videos yet.\n")
        let watch = try ClairoProcess.start(["status", "--watch"], environment: site.environment)
        #expect(await watch.line(on: .output) { $0.hasPrefix("No videos") } != nil)
        let id = try await site.clairo("upload", Clip(seconds: 1).make().path).text.trimmingCharacters(in: .newlines)
        #expect(await watch.line(on: .output) { $0.hasPrefix(id) } != nil)
        watch.send(SIGTERM)
        #expect(try await watch.outcome().status == 143)
    }

    @Test func statusReportsAnUnknownVideo() async throws {
        let site = try await Deployment.make(.zeroService, in: scratch)
        #expect(try await site.clairo("status", VideoID.make().rawValue).status == 66)
        #expect(try await site.clairo("status", "../../etc/passwd").status == 64)
    }

    @Test func aFileThatIsNotAVideoIsRefusedBeforeAnythingIsSent() async throws {
        let site = try await Deployment.make(.zeroService, in: scratch)
        let page = try scratch.write("#EXTM3U\n/etc/passwd\n", to: "page.mp4")
        let outcome = try await site.clairo("upload", page)
        #expect(outcome.status == 65)
        #expect(outcome.errors.contains("page.mp4"))
        #expect(try await site.counts() == .init(videos: 0, messages: 0, objects: 0, openUploads: 0))
        #expect(try await site.clairo("upload", scratch.path("none.mp4")).status == 66)
    }

    @Test func oneBadFileDoesNotStopTheOthers() async throws {
        let site = try await Deployment.make(.zeroService, in: scratch)
        let page = try scratch.write("no video", to: "page.mp4")
        let outcome = try await site.clairo("upload", page, Clip(seconds: 1).make().path, scratch.path("none.mp4"))
        #expect(outcome.status == 65)
        #expect(outcome.errors.contains("page.mp4") && outcome.errors.contains("none.mp4"))
        #expect(try await site.counts() == .init(videos: 1, messages: 1, objects: 1, openUploads: 0))
    }

    @Test func theSameContentIsReportedAndNotSentAgainWithDedupe() async throws {
        let site = try await Deployment.make(.zeroService, in: scratch)
        let source = try await Clip(seconds: 1).make()
        let first = try report(try await site.clairo("upload", source.path, "--json"))
        let second = try await site.clairo("upload", source.path, "--json")
        #expect(try report(second).sameContentAs == first.video.id.rawValue)
        #expect(try report(second).video.id != first.video.id)
        #expect(second.errors.contains("same content"))
        let third = try report(try await site.clairo("upload", source.path, "--dedupe", "--json"))
        #expect(third.video.id == first.video.id)
        #expect(third.sentBytes == 0)
        #expect(try await site.counts() == .init(videos: 2, messages: 2, objects: 2, openUploads: 0))
    }

    /// The cancelled video is neither resumed, after a run that was killed at the very end, nor found by its content.
    @Test(arguments: Deployment.Kind.available)
    func aCancelledVideoIsUploadedAgain(_ kind: Deployment.Kind) async throws {
        let site = try await Deployment.make(kind, in: scratch)
        let source = try await Clip(seconds: 1).make()
        let killed = try await site.clairo("upload", source.path, more: ["CLAIRO_CRASH_AT": "upload.reported"])
        #expect(killed.signal == SIGKILL)
        let id = killed.text.trimmingCharacters(in: .newlines)
        #expect(try await site.clairo("cancel", id).status == 0)
        let again = try report(try await site.clairo("upload", source.path, "--json"))
        #expect(again.video.id.rawValue != id && again.sentBytes > 0 && again.sameContentAs == nil)
        #expect(try await site.clairo("cancel", again.video.id.rawValue).status == 0)
        let other = try report(try await site.clairo("upload", source.path, "--dedupe", "--json"))
        #expect(![id, again.video.id.rawValue].contains(other.video.id.rawValue) && other.sentBytes > 0)
    }

    @Test func aProfileThatAllowsPartialMediaAppliesToTheUpload() async throws {
        let site = try await Deployment.make(.zeroService, in: scratch)
        let whole = try Data(contentsOf: await Clip(seconds: 8, options: ["-movflags", "+faststart"]).make())
        let half = scratch.url("half.mp4")
        try whole.prefix(whole.count / 2).write(to: half)
        let profiles = ["CLAIRO_PROFILES": try scratch.write("lenient: {allow-partial: true}", to: "profiles.yaml")]
        #expect(try await site.clairo("upload", half.path, more: profiles).status == 65)
        let outcome = try await site.clairo("upload", half.path, "--profile", "lenient", more: profiles)
        #expect(outcome.status == 0, "\(outcome)")
    }

    @Test(arguments: Deployment.Kind.available)
    func standardInputIsStoredAsItArrivesAndInvalidMediaLeavesNothing(_ kind: Deployment.Kind) async throws {
        let site = try await Deployment.make(kind, in: scratch)
        let source = try await Clip(seconds: 1).make(paddedTo: 70 << 20, as: scratch.url("large.mp4"))
        let shell = { (script: String) in
            try await ChildProcess(
                "/bin/sh", ["-c", script, ClairoProcess.path, source.path], environment: site.environment
            ).outcome()
        }
        let outcome = try await shell("cat \"$1\" | \"$0\" upload - --title Piped --json")
        #expect(outcome.status == 0, "\(outcome)")
        let video = try report(outcome).video
        #expect(video.title == "Piped")
        #expect(video.sha256 == Checksum.sha256(try Data(contentsOf: source)))
        let refused = try await shell("head -c 70000000 /dev/zero | \"$0\" upload -")
        #expect(refused.status == 65, "\(refused)")
        #expect(try await shell("\"$0\" upload - </dev/null").status == 65)
        #expect(try await site.counts() == .init(videos: 1, messages: 1, objects: 1, openUploads: 0))
    }

    static let names = [
        "with spaces and 'quotes' and \"more\".mp4", "Übergrößen 日本語 🎬.mp4", "%2e%2e%2fetc%2fpasswd.mp4",
        "line\nbreak\tand tab.mp4", "-rf.mp4", "..mp4", "a" + String(repeating: "b", count: 240) + ".mp4",
    ]

    @Test(arguments: names)
    func aFileNameIsPreservedAndNeverUsedAsAKey(_ name: String) async throws {
        let site = try await Deployment.make(.zeroService, in: scratch)
        let file = scratch.url(name)
        try FileManager.default.copyItem(at: try await Clip(seconds: 1).make(), to: file)
        let outcome = try await site.clairo("upload", "--json", "--", file.path)
        #expect(outcome.status == 0, "\(outcome)")
        let video = try report(outcome).video
        #expect(video.name == name)
        #expect(video.source.key.hasSuffix("videos/\(video.id)/source"))
        let table = try await site.clairo("status")
        #expect(table.text.split(separator: "\n").count == 2, "a name cannot break the table")
    }

    @Test func anUnwritableResultIsReported() async throws {
        let site = try await Deployment.make(.zeroService, in: scratch)
        let shell = try ChildProcess(
            "/bin/sh", ["-c", "\"$0\" status >/dev/full", ClairoProcess.path], environment: site.environment)
        let outcome = try await shell.outcome()
        #expect(outcome.status == 74, "\(outcome)")
        #expect(outcome.errors == "clairo: Cannot write to standard output\n")
    }

    @Test func aDryMigrationChangesNothing() async throws {
        let site = try await Deployment.make(.zeroService, in: scratch)
        #expect(try await site.clairo("migrate", "--dry-run").status == 75)
        #expect(try await site.clairo("migrate", "--dry-run").status == 75)
        #expect(try await site.clairo("migrate").status == 0)
        #expect(try await site.clairo("migrate", "--dry-run").status == 0)
    }

    @Test func aTitleOfThreeHundredCharactersIsKept() async throws {
        let site = try await Deployment.make(.zeroService, in: scratch)
        let title = String(repeating: "ü", count: 300)
        let outcome = try await site.clairo("upload", Clip(seconds: 1).make().path, "--title", title, "--json")
        #expect(try report(outcome).video.title == title)
        for option in ["--profile", "--tenant"] {
            for name in ["../x", "", String(repeating: "x", count: 65)] {
                #expect(try await site.clairo("upload", Clip().make().path, option, name).status == 64)
            }
        }
    }

    // MARK: Interruptions

    static let crashes: [(Deployment.Kind, String)] = Deployment.Kind.available.flatMap { kind in
        [
            "upload.created", "upload.begun", "upload.part.1", "upload.part.3", "upload.parts", "upload.completed",
            "upload.sent", "upload.registered", "upload.reported",
        ].map { (kind, $0) }
    }

    @Test(arguments: crashes)
    func theSameCommandResumesAKilledUpload(_ kind: Deployment.Kind, _ step: String) async throws {
        let site = try await Deployment.make(kind, in: scratch)
        let source = try await Clip(seconds: 1).make(paddedTo: 30 << 20, as: scratch.url("large.mp4"))
        let killed = try await site.clairo("upload", source.path, more: ["CLAIRO_CRASH_AT": step])
        try #require(killed.signal == SIGKILL, "\(step) was not reached: \(killed)")
        let outcome = try await site.clairo("upload", source.path, "--json")
        #expect(outcome.status == 0, "\(outcome)")
        #expect(try await site.counts() == .init(videos: 1, messages: 1, objects: 1, openUploads: 0))
        let report = try report(outcome)
        let raw = try site.rawStore()
        let stored = try await onDedicatedThread(name: "get") { try raw.get(Video.sourceKey(report.video.id)) }
        #expect(stored == (try Data(contentsOf: source)))
        #expect(report.video.sha256 == Checksum.sha256(stored))
        if step == "upload.parts" || step == "upload.reported" { #expect(report.sentBytes == 0, "no byte is resent") }
    }

    @Test func aResumedUploadUsesTheNameOfTheCurrentRun() async throws {
        let site = try await Deployment.make(.zeroService, in: scratch)
        let source = try await Clip(seconds: 1).make(paddedTo: 30 << 20, as: scratch.url("large.mp4"))
        let link = scratch.path("summer.mp4")
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: source.path)
        #expect(try await site.clairo("upload", source.path, more: ["CLAIRO_CRASH_AT": "upload.parts"]).signal != nil)
        let report = try report(try await site.clairo("upload", link, "--json"))
        #expect(report.sentBytes == 0, "it resumes")
        #expect(report.video.name == "summer.mp4")
    }

    @Test func anUploadToAnotherStoreDoesNotResume() async throws {
        let site = try await Deployment.make(.zeroService, in: scratch)
        let source = try await Clip(seconds: 1).make()
        #expect(
            try await site.clairo("upload", source.path, more: ["CLAIRO_CRASH_AT": "upload.registered"]).signal != nil)
        let other = DirectoryStore(root: scratch.url("other"))
        let report = try report(
            try await site.clairo("upload", source.path, "--json", "--raw-store", "file:\(other.root.path)"))
        #expect(report.sentBytes > 0)
        #expect(try other.list(prefix: "") == [Video.sourceKey(report.video.id)])
    }

    @Test func aFileChangedAfterAnInterruptionIsUploadedFromTheStart() async throws {
        let site = try await Deployment.make(.zeroService, in: scratch)
        let source = try await Clip(seconds: 1).make(paddedTo: 30 << 20, as: scratch.url("large.mp4"))
        #expect(try await site.clairo("upload", source.path, more: ["CLAIRO_CRASH_AT": "upload.part.2"]).signal != nil)
        let handle = try FileHandle(forUpdating: source)
        try handle.seekToEnd()
        try handle.seek(toOffset: try handle.offset() - 5)
        try handle.write(contentsOf: Data("after".utf8))
        try handle.close()
        let report = try report(try await site.clairo("upload", source.path, "--json"))
        let bytes = try Data(contentsOf: source)
        #expect(report.video.sha256 == Checksum.sha256(bytes))
        let raw = try site.rawStore()
        #expect(try await onDedicatedThread(name: "get") { try raw.get(Video.sourceKey(report.video.id)) } == bytes)
    }
}
