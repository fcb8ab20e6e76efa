import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

/// A service that refuses for a while, as in a rotation of keys, a failover, or on a full disk: no job fails, no daemon
/// ends, and the work continues by itself. Meanwhile, health check, metrics and log say what is wrong.
@Suite(.mostlyWaits, .ownThreads) struct RefusalTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private static let listen = ["--metrics-listen", "127.0.0.1:0"]

    /// The metrics server of a daemon.
    private struct Monitor {
        let url: String

        init(_ daemon: ChildProcess) async throws {
            let line = try #require(await daemon.line(on: .messages) { $0.contains("metrics on http://") })
            url = try #require(line.components(separatedBy: "metrics on ").last?.replacing("/metrics", with: ""))
        }

        func readiness() async throws -> HTTPResponse { try await HTTPClient.send("GET", url + "/readyz") }

        func isBlocked(_ activity: String, _ reason: String) async throws -> Bool {
            let page = try await HTTPClient.send("GET", url + "/metrics").text
            return page.contains("clairo_blocked{activity=\"\(activity)\",reason=\"\(reason)\"} 1\n")
        }
    }

    private func expectItEnds(_ daemon: ChildProcess) async throws {
        daemon.send(SIGTERM)
        let outcome = try await daemon.outcome()
        #expect(outcome.status == 0, "\(outcome)")
    }

    // MARK: Stores

    @Test(
        .enabled(if: PipelineSite.Kind.services.isAvailable, "rclone or MariaDB are not installed"),
        arguments: [(403, "InvalidAccessKeyId", "InvalidAccessKeyId"), (404, "NoSuchBucket", "does not exist at")])
    func aStoreThatRefusesForAWhileFailsNoJob(_ status: Int, _ code: String, _ words: String) async throws {
        let pipeline = try await PipelineSite.make(.services, in: scratch)
        let proxy = try #require(pipeline.proxy)
        _ = try pipeline.relay()
        let ids = [
            try await pipeline.upload(try await Clip(seconds: 2).make()),
            try await pipeline.upload(try await Clip(seconds: 3).make()),
        ]
        proxy.add(.init(.answer(status: status, code: code), times: .max))
        let worker = try pipeline.start(["consume", "--lease", "300", "--concurrency", "2"] + Self.listen)
        let monitor = try await Monitor(worker)
        #expect(await worker.line(on: .messages) { $0.contains("error_kind=refused") && $0.contains(words) } != nil)
        try await eventually { try await monitor.isBlocked("run", "refused") }
        let readiness = try await monitor.readiness()
        #expect(readiness.status == 503 && readiness.text.hasPrefix("run: refused: "), "\(readiness.text)")
        for id in ids {
            try await eventually { try await pipeline.tasks(id).contains { $0.error?.kind == .refused } }
            #expect(try await pipeline.video(id).state == .processing)
        }
        proxy.removeRules()
        try await pipeline.untilFinal(ids)
        try await eventually { try await monitor.readiness().status == 200 }
        #expect(try await !monitor.isBlocked("run", "refused"))
        try await expectItEnds(worker)
        try await pipeline.audit(ids)
    }

    @Test func aRawStoreThatIsNotMountedIsWaitedFor() async throws {
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch)
        let id = try await pipeline.upload(try await Clip(seconds: 2).make())
        try FileManager.default.moveItem(atPath: scratch.path("home/raw"), toPath: scratch.path("elsewhere"))
        let worker = try pipeline.consumer()
        #expect(await worker.line(on: .messages) { $0.contains("error_kind=refused") } != nil)
        #expect(try await pipeline.video(id).state == .processing)
        try FileManager.default.moveItem(atPath: scratch.path("elsewhere"), toPath: scratch.path("home/raw"))
        try await pipeline.untilFinal([id])
        try await expectItEnds(worker)
        try await pipeline.audit([id])
    }

    @Test func aDeletedSourceFailsItsJobOnlyAndSaysSo() async throws {
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch)
        let lost = try await pipeline.upload(try await Clip(seconds: 2).make())
        let fine = try await pipeline.upload(try await Clip(seconds: 3).make())
        let source = scratch.path("home/raw/\(OutputLayout.source(of: lost))")
        let copy = try Data(contentsOf: URL(fileURLWithPath: source))
        try FileManager.default.removeItem(atPath: source)
        let outcome = try await pipeline.consumer("--until-idle").outcome()
        #expect(outcome.status == 0, "\(outcome)")
        #expect(try await pipeline.video(fine).state == .ready)
        let video = try await pipeline.video(lost)
        #expect(video.state == .failed && video.error?.kind == .usage)
        #expect(video.error?.message.hasPrefix("The source was deleted from the raw store") == true)
        // As the error advises.
        try copy.write(to: URL(fileURLWithPath: source))
        #expect(try await pipeline.clairo("retry", lost.rawValue).status == 0)
        #expect(try await pipeline.consumer("--until-idle").outcome().status == 0)
        try await pipeline.audit([lost, fine])
    }

    @Test func runEndsWhenAStoreRefuses() async throws {
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch)
        // A file in place of the folder.
        try FileManager.default.createDirectory(atPath: scratch.path("home"), withIntermediateDirectories: true)
        try Data().write(to: scratch.url("home/output"))
        let outcome = try await pipeline.clairo("run", try await Clip(seconds: 2).make().path)
        #expect(outcome.status == 73 && outcome.errors.contains("is not a folder"), "\(outcome)")
    }

    // MARK: Databases

    @Test(.enabled(if: PipelineSite.Kind.services.isAvailable, "rclone or MariaDB are not installed"), .tags(.long))
    func aDatabaseThatIsReadOnlyForAWhileEndsNoDaemon() async throws {
        let database = try await MariaDBServer(folder: scratch.path("mariadb"))
        scratch.onCleanup { database.kill() }
        let pipeline = try await PipelineSite.make(.services, in: scratch, ownDatabase: database)
        // Idle daemons only read. Here messages and a task wait, which they claim by writes.
        let id = try await pipeline.upload(try await Clip(seconds: 2).make())
        #expect(try await pipeline.clairo("produce", "--once").status == 0)
        #expect(try await pipeline.consumer("--once").outcome().status == 0)
        try await database.run("SET GLOBAL read_only = ON")
        let relay = try pipeline.start(["produce", "--follow"] + Self.listen)
        let worker = try pipeline.start(["consume", "--lease", "3"] + Self.listen)
        let daemons = [relay, worker]
        let monitors = [try await Monitor(relay), try await Monitor(worker)]
        for (daemon, (monitor, activity)) in zip(daemons, zip(monitors, ["relay", "claim"])) {
            #expect(await daemon.line(on: .messages) { $0.contains("error_kind=refused") } != nil)
            try await eventually { try await monitor.isBlocked(activity, "refused") }
            #expect(try await monitor.readiness().status == 503)
        }
        try await database.run("SET GLOBAL read_only = OFF")
        try await pipeline.untilFinal([id])
        for monitor in monitors { try await eventually { try await monitor.readiness().status == 200 } }
        for daemon in daemons { try await expectItEnds(daemon) }
        try await pipeline.audit([id])
    }

    @Test(.enabled(if: PipelineSite.Kind.services.isAvailable, "rclone or MariaDB are not installed"))
    func aDatabaseWithoutTablesOrWithAnotherPasswordEndsADaemonAtItsStart() async throws {
        let pipeline = try await PipelineSite.make(.services, in: scratch)
        let empty = try await MariaDBServer.shared.makeDatabase().name
        let unmigrated = ["CLAIRO_DATABASE": try await MariaDBServer.shared.url(empty, password: nil)]
        for command in [["consume"], ["produce", "--follow"], ["serve", "--listen", "127.0.0.1:0"]] {
            let outcome = try await pipeline.start(command, more: unmigrated).outcome()
            #expect(outcome.status == 78 && outcome.errors.contains("clairo migrate"), "\(outcome)")
            let stranger = try await pipeline.start(command, more: ["CLAIRO_DATABASE_PASSWORD": "wrong"]).outcome()
            #expect(stranger.status == 77, "\(stranger)")
        }
    }

    // MARK: Disks

    @Test(.enabled(if: SmallDisk.isPossible, "a small file system can only be mounted by root"))
    func aWorkerOnAFullDiskWaitsForRoom() async throws {
        let disk = try await SmallDisk(scratch, kilobytes: 20_000)
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch)
        let more = ["CLAIRO_HOME": disk.path + "/home"]
        let source = try await Clip(width: 640, height: 360, seconds: 8).make()
        let upload = try await pipeline.clairo("upload", source.path, "--progress", "none", more: more)
        try #require(upload.status == 0, "\(upload)")
        let id = upload.text.trimmingCharacters(in: .newlines)
        let fill = URL(fileURLWithPath: disk.path + "/fill")
        // Enough for the database, and not for the output.
        try Self.fill(fill, leaving: 100_000)
        let worker = try pipeline.start(["consume", "--lease", "5", "--concurrency", "1"], more: more)
        #expect(await worker.line(on: .messages) { $0.contains("error_kind=capacity") } != nil)
        try FileManager.default.removeItem(at: fill)
        let watched = try await pipeline.clairo("status", "--watch", "--json", id, more: more)
        #expect(watched.status == 0 && watched.text.contains("\"ready\""), "\(watched)")
        try await expectItEnds(worker)
    }

    /// Writes a file until its disk is full, and shortens it then.
    private static func fill(_ file: URL, leaving count: Int) throws {
        try Data().write(to: file)
        let handle = try FileHandle(forWritingTo: file)
        let block = Data(repeating: 1, count: 4096)
        var size = 0
        while (try? handle.write(contentsOf: block)) != nil { size += block.count }
        try handle.truncate(atOffset: UInt64(max(0, size - count)))
        try handle.close()
    }

    // MARK: Retries

    @Test func aRetryWithInvalidProfilesStartsNoJob() async throws {
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch)
        let id = try await pipeline.upload(try await Clip(seconds: 2).make())
        let invalid = ["CLAIRO_PROFILES": try scratch.write("default:\n  heights: [361]\n", to: "invalid.yaml")]
        let outcome = try await pipeline.clairo("retry", "--anew", id.rawValue, more: invalid)
        #expect(outcome.status == 78 && outcome.errors.contains("heights"), "\(outcome)")
        #expect(try await pipeline.site.inspect { try await $0.jobs(of: id) }.isEmpty)
        #expect(try await pipeline.clairo("retry", "--anew", id.rawValue).status == 0)
    }
}
