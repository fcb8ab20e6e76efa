import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

/// Services that refuse requests, fail or are unavailable during an upload. The upload succeeds, or reports why it
/// fails and loses nothing.
@Suite(
    .mostlyWaits, .ownThreads,
    .enabled(if: Deployment.Kind.s3AndMySQL.isAvailable, "rclone or MariaDB is not installed"))
struct UploadFailureTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    /// S3 behind a proxy, and MySQL.
    private func site(_ rules: FaultProxy.Rule...) async throws -> (site: Deployment, proxy: FaultProxy) {
        let site = try await Deployment.make(.s3AndMySQL, in: scratch)
        let proxy = try FaultProxy(to: try await S3Server.shared(.rclone).port, rules)
        scratch.onCleanup { proxy.stop() }
        return (site, proxy)
    }

    private func through(_ proxy: FaultProxy) -> [String: String] { ["AWS_ENDPOINT_URL_S3": proxy.endpoint] }

    static let faults: [(name: String, rules: [FaultProxy.Rule])] = [
        ("a part is cut on its way", [.init(.cutRequest(after: 1_000_000), "PUT", query: "partNumber=2")]),
        ("a part's answer is lost", [.init(.dropReply, "PUT", query: "partNumber=3")]),
        ("the server is overloaded", [.init(.answer(status: 503, code: "SlowDown"), "PUT", query: "partNumber=")]),
        ("the server fails inside", [.init(.answer(status: 500, code: "InternalError"), "POST", query: "uploads")]),
        (
            "the completion fails with 200",
            [.init(.answer(status: 200, code: "InternalError"), "POST", query: "uploadId=")]
        ),
        ("the completion's answer is lost", [.init(.dropReply, "POST", query: "uploadId=")]),
        ("the list of uploads is cut short", [.init(.cutReply(after: 20), "GET", query: "uploads")]),
    ]

    @Test(arguments: faults.indices) func anUploadRecoversFromATransientFault(_ index: Int) async throws {
        let (site, proxy) = try await site()
        for rule in Self.faults[index].rules { proxy.add(rule) }
        let source = try await Clip(seconds: 1).make(paddedTo: 30 << 20, as: scratch.url("large.mp4"))
        let outcome = try await site.clairo("upload", source.path, more: through(proxy))
        #expect(outcome.status == 0, "\(Self.faults[index].name): \(outcome)")
        #expect(proxy.exchanges.contains { $0.fault != nil }, "\(Self.faults[index].name): it never happened")
        #expect(try await site.counts() == .init(videos: 1, messages: 1, objects: 1, openUploads: 0))
        let raw = try site.rawStore()
        let id = try #require(VideoID(outcome.text.trimmingCharacters(in: .newlines)))
        let stored = try await onDedicatedThread(name: "get") { try raw.get(Video.sourceKey(id)) }
        #expect(stored == (try Data(contentsOf: source)))
    }

    static let lasting: [(code: String, status: Int, exit: Int32)] = [
        ("SlowDown", 503, 75), ("AccessDenied", 403, 77), ("NoSuchBucket", 404, 78), ("RequestTimeTooSkewed", 403, 78),
    ]

    @Test(arguments: lasting.indices) func aPersistentFaultIsReportedAndRegistersNothing(_ index: Int) async throws {
        let fault = Self.lasting[index]
        let (site, proxy) = try await site(.init(.answer(status: fault.status, code: fault.code), times: 10_000))
        let source = try await Clip(seconds: 1).make()
        let more = through(proxy).merging(["AWS_MAX_ATTEMPTS": "2"]) { $1 }
        let outcome = try await site.clairo("upload", source.path, more: more)
        #expect(outcome.status == fault.exit, "\(fault.code): \(outcome)")
        #expect(!outcome.description.contains(site.environment["AWS_SECRET_ACCESS_KEY"] ?? "?"))
        #expect(!outcome.description.contains(MariaDBServer.password))
        #expect(try await site.counts() == .init(videos: 0, messages: 0, objects: 0, openUploads: 0))
        #expect(try await site.clairo("upload", source.path).status == 0, "it resumes after the fault")
        #expect(try await site.counts() == .init(videos: 1, messages: 1, objects: 1, openUploads: 0))
    }

    @Test func aFileThatChangesWhileItIsSentIsNotRegistered() async throws {
        let (site, proxy) = try await site(.init(.stall, "PUT", query: "partNumber=3", times: 100))
        let source = try await Clip(seconds: 1).make(paddedTo: 30 << 20, as: scratch.url("large.mp4"))
        let upload = try ClairoProcess.start(
            ["upload", source.path], environment: site.environment.merging(through(proxy)) { $1 })
        _ = await proxy.exchange { $0.fault == .stall }
        let handle = try FileHandle(forWritingTo: source)
        try handle.seekToEnd()
        try handle.write(contentsOf: Data("more".utf8))
        try handle.close()
        proxy.removeRules()
        proxy.release()
        let outcome = try await upload.outcome()
        #expect(outcome.status == 74, "\(outcome)")
        #expect(try await site.counts() == .init(videos: 0, messages: 0, objects: 0, openUploads: 0))
    }

    @Test func aLostReplyToTheFirstRequestLeavesNoUploadOpen() async throws {
        let (site, proxy) = try await site(.init(.dropReply, "POST", query: "uploads"))
        let source = try await Clip(seconds: 1).make(paddedTo: 30 << 20, as: scratch.url("large.mp4"))
        #expect(try await site.clairo("upload", source.path, more: through(proxy)).status == 0)
        #expect(proxy.exchanges.contains { $0.fault != nil })
        #expect(try await site.counts() == .init(videos: 1, messages: 1, objects: 1, openUploads: 0))
    }

    @Test func theErrorForADatabaseWithoutTablesAdvisesMigrate() async throws {
        let (site, _) = try await site()
        let empty = try await MariaDBServer.shared.makeDatabase().name
        let url = try await MariaDBServer.shared.url(empty, password: nil)
        let outcome = try await site.clairo("upload", Clip(seconds: 1).make().path, "--database", url)
        #expect(outcome.status == 78, "\(outcome)")
        #expect(outcome.errors.contains("clairo migrate"))
        #expect(try await site.clairo("migrate", "--dry-run", "--database", url).status == 75)
    }

    @Test func aWrongPasswordIsRefusedAndNotShown() async throws {
        let (site, _) = try await site()
        let outcome = try await site.clairo("status", more: ["CLAIRO_DATABASE_PASSWORD": "hunter2"])
        #expect(outcome.status == 77, "\(outcome)")
        #expect(!outcome.description.contains("hunter2"))
    }

    @Test func anUnavailableDatabaseIsReported() async throws {
        let (site, _) = try await site()
        let outcome = try await site.clairo("status", "--database", "mysql://clairo@127.0.0.1:1/clairo")
        #expect(outcome.status == 69, "\(outcome)")
    }

    @Test func aSchemaOfANewerProgramIsNotChanged() async throws {
        let site = try await Deployment.make(.zeroService, in: scratch)
        #expect(try await site.clairo("status").status == 0)
        let python = try ChildProcess(
            "python3",
            [
                "-c",
                "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.execute(\"insert into schema_migrations (version, name, applied_at) values (999, 'later', 0)\"); c.commit()",
                scratch.path("home/clairo.db"),
            ])
        try #require(try await python.outcome().status == 0)
        let outcome = try await site.clairo("upload", Clip(seconds: 1).make().path)
        #expect(outcome.status == 78, "\(outcome)")
        #expect(outcome.errors.contains("999"))
    }

    @Test func mariaDBRestartedDuringAnUploadLosesNothing() async throws {
        let server = try await MariaDBServer(folder: scratch.path("mariadb"))
        scratch.onCleanup { server.kill() }
        let (site, proxy) = try await site(.init(.stall, "PUT", query: "partNumber=3", times: 100))
        let name = try await server.makeDatabase().name
        let more = through(proxy).merging(["CLAIRO_DATABASE": server.url(name, password: nil)]) { $1 }
        #expect(try await site.clairo("migrate", more: more).status == 0)
        let source = try await Clip(seconds: 1).make(paddedTo: 30 << 20, as: scratch.url("large.mp4"))
        let upload = try ClairoProcess.start(
            ["upload", source.path], environment: site.environment.merging(more) { $1 })
        _ = await proxy.exchange { $0.fault == .stall }
        try await server.restart()
        proxy.removeRules()
        proxy.release()
        let outcome = try await upload.outcome()
        #expect(outcome.status == 0, "\(outcome)")
        #expect(try await server.run("SELECT COUNT(*) FROM videos", in: name) == "1\n")
        #expect(try await server.run("SELECT COUNT(*) FROM outbox", in: name) == "1\n")
    }

    // MARK: Read-only databases

    /// Nothing is registered or sent, and one line explains why.
    private func expectRefusal(_ outcome: ChildProcess.Outcome, naming name: String) {
        #expect(outcome.status == 77, "\(outcome)")
        #expect(outcome.text.isEmpty)
        let lines = outcome.errors.split(separator: "\n").filter { $0.hasPrefix("clairo: ") }
        #expect(lines.count == 1, "\(outcome)")
        #expect(outcome.errors.contains(name), "\(outcome)")
    }

    @Test(.enabled(if: Unprivileged.canRunClairo, "only root can access the binary"))
    func aReadOnlyDatabaseFileIsReportedBeforeAnythingIsSent() async throws {
        let site = try await Deployment.make(.zeroService, in: scratch)
        #expect(try await site.clairo("status").status == 0)
        let source = try await Clip(seconds: 1).make().path
        let database = scratch.path("home/clairo.db")
        chmod(database, 0o444)
        let outcome = try await Unprivileged.clairo("upload", source, in: scratch, environment: site.environment)
        expectRefusal(outcome, naming: database)
        #expect(try site.rawStore().list(prefix: "").isEmpty)
        chmod(database, 0o644)
        let again = try await Unprivileged.clairo("upload", source, in: scratch, environment: site.environment)
        #expect(again.status == 0, "\(again)")
        #expect(try await site.counts() == .init(videos: 1, messages: 1, objects: 1, openUploads: 0))
    }

    @Test(.enabled(if: ReadOnlyMount.isPossible, "only root can mount"))
    func aDatabaseOnAReadOnlyFileSystemIsReportedBeforeAnythingIsSent() async throws {
        let site = try await Deployment.make(.zeroService, in: scratch)
        let database = scratch.path("rows/clairo.db")
        let place = ["CLAIRO_DATABASE": "sqlite:" + database]
        #expect(try await site.clairo("status", more: place).status == 0)
        let source = try await Clip(seconds: 1).make().path
        let folder = try ReadOnlyMount(scratch.path("rows"), in: scratch)
        expectRefusal(try await site.clairo("upload", source, more: place), naming: database)
        #expect(try site.rawStore().list(prefix: "").isEmpty)
        folder.end()
        let again = try await site.clairo("upload", source, more: place)
        #expect(again.status == 0, "\(again)")
    }

    @Test(.tags(.long)) func anUploadResumesAfterItsDatabaseWasReadOnly() async throws {
        let server = try await MariaDBServer(folder: scratch.path("mariadb"))
        scratch.onCleanup { server.kill() }
        let (site, proxy) = try await site(.init(.stall, "PUT", query: "partNumber=3", times: 100))
        let name = try await server.makeDatabase().name
        let more = through(proxy).merging(["CLAIRO_DATABASE": server.url(name, password: nil)]) { $1 }
        #expect(try await site.clairo("migrate", more: more).status == 0)
        let source = try await Clip(seconds: 1).make(paddedTo: 30 << 20, as: scratch.url("large.mp4"))
        let upload = try ClairoProcess.start(
            ["upload", source.path], environment: site.environment.merging(more) { $1 })
        _ = await proxy.exchange { $0.fault == .stall }
        try await server.run("SET GLOBAL read_only = ON")
        proxy.removeRules()
        proxy.release()
        expectRefusal(try await upload.outcome(), naming: name)
        for table in ["videos", "outbox"] {
            #expect(try await server.run("SELECT COUNT(*) FROM \(table)", in: name) == "0\n")
        }
        try await server.run("SET GLOBAL read_only = OFF")
        let again = try await site.clairo("upload", source.path, more: more)
        #expect(again.status == 0, "\(again)")
        for table in ["videos", "outbox"] {
            #expect(try await server.run("SELECT COUNT(*) FROM \(table)", in: name) == "1\n")
        }
        let raw = try site.rawStore()
        let (objects, uploads) = try await onDedicatedThread(name: "counts") {
            (try raw.list(prefix: "").count, try raw.openUploads(prefix: "").count)
        }
        #expect((objects, uploads) == (1, 0))
    }

    @Test(.enabled(if: SmallDisk.isPossible, "a small file system can only be mounted by root"))
    func aFullDiskIsReportedAndTheUploadResumesWhenThereIsSpace() async throws {
        let site = try await Deployment.make(.zeroService, in: scratch)
        let source = try await Clip(seconds: 1).make(paddedTo: 30 << 20, as: scratch.url("large.mp4"))
        let disk = try await SmallDisk(scratch, kilobytes: 20_000)
        let full = try await site.clairo("upload", source.path, "--raw-store", "file:\(disk.path)/raw")
        #expect(full.status == 74, "\(full)")
        #expect(full.errors.contains("space"))
        let outcome = try await site.clairo("upload", source.path)
        #expect(outcome.status == 0, "\(outcome)")
        #expect(try await site.counts().videos == 1)
    }
}
