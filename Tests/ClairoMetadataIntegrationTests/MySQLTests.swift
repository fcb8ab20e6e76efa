import ClairoCore
import ClairoTestSupport
import Foundation
import MariaDB
import Testing

@testable import ClairoMetadata

/// Migrated databases without rows, each for one test at a time. To empty one takes the server a fifth of the time that it
/// takes to make one.
private actor EmptyDatabases {
    typealias Database = (name: String, url: String)

    static let shared = EmptyDatabases()

    private var free: [Database] = []

    func take() async throws -> Database {
        if let database = free.popLast() { return database }
        let database = try await MariaDBServer.shared.makeDatabase()
        let store = try await MetadataDatabase.open(url: database.url, environment: [:])
        _ = try await store.migrate()
        await store.close()
        return database
    }

    /// Makes all tables as new. A database that is not given back is not used again.
    func giveBack(_ database: Database) async throws {
        let server = try await MariaDBServer.shared
        let tables = try await server.run(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()", in: database.name
        ).split(separator: "\n").filter { !$0.hasPrefix("schema_") }
        let statements: String = tables.map { "TRUNCATE \($0);" }.joined()
        try await server.run("SET foreign_key_checks = 0; \(statements)", in: database.name)
        free.append(database)
    }
}

/// The store on a real MariaDB server. Each test has its own database.
@Suite(.mostlyWaits, .enabled(if: MariaDBServer.isInstalled)) struct MySQLTests {
    private func open(_ url: String, _ environment: [String: String] = [:]) async throws -> any MetadataStore {
        try await MetadataDatabase.open(url: url, environment: environment)
    }

    /// An empty, migrated store.
    private func withStore<R>(
        _ body: (any MetadataStore, MariaDBServer, _ database: String) async throws -> R
    ) async throws -> R {
        let server = try await MariaDBServer.shared
        let database = try await server.makeDatabase()
        let store = try await open(database.url)
        _ = try await store.migrate()
        let result = try await body(store, server, database.name)
        await store.close()
        return result
    }

    @Test(arguments: MetadataStoreContract.clauses)
    func mariaDBFulfilsTheContract(clause: MetadataStoreContract.Clause) async throws {
        let database = try await EmptyDatabases.shared.take()
        let store = try await open(database.url)
        try await clause.check(store)
        await store.close()
        try await EmptyDatabases.shared.giveBack(database)
    }

    @Test func theMariaDBClientReadsTheRows() async throws {
        try await withStore { store, server, database in
            let video = MetadataSamples.video(name: "Größe 🎬 'x'.mp4")
            let message = MetadataSamples.message(of: video.id)
            #expect(try await store.register(video, message: message, upload: nil))
            let rows = try await server.run(
                "SELECT id, state, original_name, size, JSON_VALUE(media, '$.video[0].codec') FROM videos", in: database
            )
            #expect(rows == "\(video.id)\tuploaded\tGröße 🎬 'x'.mp4\t5000000000\th264\n")
            let sent = try await server.run("SELECT topic, JSON_VALUE(payload, '$.videoID') FROM outbox", in: database)
            #expect(sent == "clairo.uploads\t\(video.id)\n")
        }
    }

    // MARK: Schema

    @Test func anUnmigratedDatabaseIsRefusedWithAdviceUntilItIsMigrated() async throws {
        let database = try await MariaDBServer.shared.makeDatabase()
        let store = try await open(database.url)
        #expect(try await store.schema().database == 0)
        for _ in 0..<2 {
            let error = await failure { _ = try await store.video(.make()) }
            #expect(error?.exitCode == .configuration)
            #expect(error?.advice?.contains("clairo migrate") == true)
        }
        #expect(try await !store.migrate().isEmpty)
        #expect(try await store.video(.make()) == nil)
        await store.close()
    }

    @Test func concurrentMigrationsRunEachStepOnce() async throws {
        let database = try await MariaDBServer.shared.makeDatabase()
        let applied = try await withThrowingTaskGroup { group in
            for _ in 0..<6 {
                group.addTask {
                    let store = try await MetadataDatabase.open(url: database.url, environment: [:])
                    let applied = try await store.migrate()
                    try await store.check()
                    await store.close()
                    return applied
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(applied.count == Set(applied).count)
        #expect(!applied.isEmpty)
    }

    @Test func anInterruptedMigrationIsFinishedByTheNextOne() async throws {
        try await withStore { store, server, database in
            // As after a crash: some tables exist, and the step is not recorded.
            try await server.run("DELETE FROM schema_migrations; DROP TABLE queue; DROP TABLE outbox", in: database)
            #expect(try await !store.migrate().isEmpty)
            #expect(try await store.queuedCounts().isEmpty)
            #expect(try await store.unsentMessages() == 0)
        }
    }

    @Test func aDatabaseOfTheFirstSchemaIsMigrated() async throws {
        let server = try await MariaDBServer.shared
        let database = try await server.makeDatabase()
        let (video, job) = (VideoID.make(), JobID.make())
        let statements = Schema1Database.onMySQL(with: video, job: job)
        try await server.run(statements.joined(separator: ";\n"), in: database.name)
        let store = try await open(database.url)
        let error = await failure { try await store.check() }
        #expect(error?.exitCode == .configuration)
        #expect(error?.advice?.contains("clairo migrate") == true)
        #expect(try await store.migrate().map { $0.prefix(2) } == ["2:", "3:", "4:", "5:", "6:", "7:"])
        try await store.check()
        #expect(try await store.video(video)?.originalName == "old.mp4")
        try await server.run(
            Schema1Database.laterStatements(of: job, video).joined(separator: ";\n"), in: database.name)
        try await Schema1Database.expectMessages(in: store)
        try await Schema1Database.expectRenditions(of: job, video, in: store)
        let tables = try await server.run("SHOW TABLES", in: database.name)
        #expect(tables.contains("outbox") && !tables.contains("inbox"))
        try await Schema1Database.expectTracks(of: job, in: store)
        #expect(try await store.job(job)?.warnings == [])
        await store.close()
    }

    /// Whatever the server's default, each change is committed.
    @Test func sessionsThatDoNotCommitByThemselvesAreMadeTo() async throws {
        let server = try await MariaDBServer.shared
        let database = try await server.makeDatabase()
        try await server.run(
            """
            CREATE USER IF NOT EXISTS manual IDENTIFIED BY '\(MariaDBServer.password)';
            GRANT ALL ON `test\\_%`.* TO manual;
            SET GLOBAL init_connect = "SET autocommit = IF(CURRENT_USER() LIKE 'manual@%', 0, @@autocommit)"
            """)
        let store = try await open(server.url(database.name, user: "manual"))
        #expect(try await !store.migrate().isEmpty)
        #expect(try await store.migrate().isEmpty)
        let task = try await MetadataStoreContract.create([.chunk], in: store)[0]
        let claimed = try #require(try await store.claimNextTask(kinds: [.chunk], owner: "w", leaseSeconds: 60))
        #expect(try await store.renewLease(TaskClaim(claimed), leaseSeconds: 60, framesDone: 7))
        await store.close()
        let rows = try await server.run("SELECT id, frames_done FROM tasks", in: database.name)
        #expect(rows == "\(task.id)\t7\n")
    }

    /// Galera does not replicate user-level locks, and Percona XtraDB Cluster refuses them.
    @Test func aMigrationTakesNoUserLevelLock() async throws {
        let server = try await MariaDBServer.shared
        let database = try await server.makeDatabase()
        let isLocked = AsyncStream.makeStream(of: Void.self)
        let isMigrated = DispatchSemaphore(value: 0)
        async let other: Void = onConnection(to: server, database.name) { connection in
            // The lock of earlier versions.
            try connection.execute("SELECT GET_LOCK(CONCAT('clairo-', MD5(DATABASE())), 0)")
            isLocked.continuation.finish()
            isMigrated.wait()
        }
        for await _ in isLocked.stream {}
        let store = try await open(database.url)
        #expect(try await !store.migrate().isEmpty)
        isMigrated.signal()
        try await other
        await store.close()
    }

    @Test func aMigrationGivesUpWaitingForATableThatOthersUse() async throws {
        let server = try await MariaDBServer.shared
        let database = try await server.makeDatabase()
        let statements = Schema1Database.onMySQL(with: .make(), job: .make())
        try await server.run(statements.joined(separator: ";\n"), in: database.name)
        let isReading = AsyncStream.makeStream(of: Void.self)
        let hasFailed = DispatchSemaphore(value: 0)
        async let other: Void = onConnection(to: server, database.name) { connection in
            try connection.run("START TRANSACTION; SELECT COUNT(*) FROM jobs")
            isReading.continuation.finish()
            hasFailed.wait()
            try connection.rollback()
        }
        for await _ in isReading.stream {}
        let driver = MySQLDriver(try MySQLSettings(url: database.url, environment: [:]), tableLockSeconds: 1)
        let store = SQLMetadataStore(driver: driver, report: { _ in })
        let error = await failure { _ = try await store.migrate() }
        #expect(error?.kind == .transient)
        #expect(error?.message.contains("waited 1 s") == true)
        #expect(error?.advice?.contains("clairo migrate") == true)
        hasFailed.signal()
        try await other
        #expect(try await !store.migrate().isEmpty, "it continues")
        try await store.check()
        await store.close()
    }

    @Test func aSchemaOfANewerProgramIsRefused() async throws {
        try await withStore { store, server, database in
            try await server.run("INSERT INTO schema_migrations VALUES (999, 'future', 0)", in: database)
            let other = try await open(server.url(database))
            for error in [
                await failure { try await store.check() }, await failure { _ = try await store.migrate() },
                await failure { _ = try await other.video(.make()) },
            ] {
                #expect(error?.exitCode == .configuration)
                #expect(error?.message.contains("999") == true)
            }
            await other.close()
        }
    }

    // MARK: Settings and errors

    @Test func theTransportIsASocketOrAPlainConnection() async throws {
        try await withStore { store, server, database in
            #expect(try await store.transport() == .plain)
            let local = try await open(server.url(database) + "?socket=" + server.socket)
            #expect(try await local.transport() == .socket)
            await local.close()
        }
    }

    @Test(.enabled(if: TestTools.path(of: "openssl") != nil, "openssl is not installed"))
    func aConnectionWithTLSIsVerifiedOnlyIfAsked() async throws {
        let scratch = try Scratch()
        let (key, certificate) = (scratch.path("key.pem"), scratch.path("certificate.pem"))
        let openssl = try ChildProcess(
            "openssl",
            [
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
                "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", certificate,
            ])
        #expect(try await openssl.outcome().status == 0)
        let server = try await MariaDBServer(
            folder: scratch.path("mariadb"), options: ["--ssl-cert=\(certificate)", "--ssl-key=\(key)"])
        scratch.onCleanup { server.stop() }
        let database = try await server.makeDatabase()
        for (options, verifies) in [
            ("", false), ("?ssl-mode=REQUIRED", false), ("?ssl-mode=VERIFY_IDENTITY&ssl-ca=\(certificate)", true),
        ] {
            let store = try await open(database.url + options)
            guard case .encrypted(let version, verifies) = try await store.transport() else {
                Issue.record("\(options): \(try await store.transport())")
                continue
            }
            #expect(version.hasPrefix("TLSv1."))
            await store.close()
        }
        let store = try await open(database.url + "?ssl-mode=VERIFY_IDENTITY")
        #expect(await failure { _ = try await store.transport() }?.exitCode == .configuration, "an unknown authority")
        await store.close()
    }

    @Test func passwordsComeFromTheURLTheEnvironmentAFileOrTheOptionFile() async throws {
        let server = try await MariaDBServer.shared
        let scratch = try Scratch()
        let database = try await server.makeDatabase()
        let bare = server.url(database.name, password: nil)
        let secret = try scratch.write(MariaDBServer.password + "\n", to: "secret")
        let options = try scratch.write("[client]\npassword = \"\(MariaDBServer.password)\"\n", to: "my.cnf")
        for (url, environment) in [
            (database.url, [:]), (bare, ["CLAIRO_DATABASE_PASSWORD": MariaDBServer.password]),
            (bare, ["CLAIRO_DATABASE_PASSWORD_FILE": secret]), (bare + "?defaults-file=" + options, [:]),
        ] {
            let store = try await open(url, environment)
            _ = try await store.migrate()
            try await store.check()
            await store.close()
        }
    }

    @Test func aWrongPasswordIsRefusedAndNotShown() async throws {
        let server = try await MariaDBServer.shared
        let database = try await server.makeDatabase()
        let store = try await open(server.url(database.name, password: "wrong-secret"))
        for error in [await failure { try await store.check() }, await failure { _ = try await store.migrate() }] {
            #expect(error?.exitCode == .noPermission)
            #expect(error?.description.contains("wrong-secret") == false)
        }
        await store.close()
    }

    @Test func anUnknownDatabaseIsAConfigurationError() async throws {
        let store = try await open(try await MariaDBServer.shared.url("test_none"))
        #expect(await failure { try await store.check() }?.exitCode == .configuration)
        await store.close()
    }

    @Test(arguments: ["127.0.0.1:1", "no-such-host.invalid:3306"])
    func anUnreachableHostIsAnUnavailableError(place: String) async throws {
        let store = try await open("mysql://u:secret@\(place)/d?ssl-mode=disabled")
        let error = await failure { try await store.check() }
        #expect(error?.exitCode == .unavailable)
        #expect(error?.message.contains(place) == true)
        #expect(error?.description.contains("secret") == false)
        await store.close()
    }

    @Test(arguments: [
        "mysql://u:secret@h", "mysql://u:secret@h/d/e", "mysql://u:secret@h/d?ssl-mode=maybe",
        "mysql://u:secret@h/d?sslmode=REQUIRED", "mysql://u:secret@h:99999/d", "mysql://u:sec ret/secret@h/d",
        "mysql://u:secret@h/d?ssl-ca=/no/such/file", "mysql://u:secret@h/d#x",
    ])
    func anInvalidURLIsRefusedWithoutShowingItsPassword(url: String) async throws {
        let error = await failure { _ = try await open(url) }
        #expect(error?.exitCode == .configuration)
        #expect(error?.description.contains("ecret") == false)
        #expect(MetadataDatabase.containsPassword(url))
    }

    @Test func aURLIsDescribedWithoutItsPassword() {
        #expect(MetadataDatabase.maskedURL("mysql://u:p@ss@h:1/d") == "mysql://u:***@h:1/d")
        for url in ["mysql://u@h:1/d", "mysql://h/d", "sqlite:/a:b@c", "sqlite:///a:b"] {
            #expect(MetadataDatabase.maskedURL(url) == url)
            #expect(!MetadataDatabase.containsPassword(url))
        }
    }

    // MARK: Conflicts and cancellation

    @Test func aDeadlockedTransactionIsRetried() async throws {
        try await withStore { store, server, database in
            let video = MetadataSamples.video()
            #expect(try await store.register(video, message: MetadataSamples.message(of: video.id), upload: nil))
            // A deletion locks the message and then the video; this transaction locks them in the opposite order. It
            // has written much more, so the server aborts the deletion.
            let holdsVideo = AsyncStream.makeStream(of: Void.self)
            async let other: Void = onConnection(to: server, database) { connection in
                try connection.execute("CREATE TABLE ballast (number BIGINT PRIMARY KEY, text CHAR(36))")
                try connection.run("START TRANSACTION")
                try connection.execute("INSERT INTO ballast SELECT seq, UUID() FROM seq_1_to_500")
                try connection.execute("UPDATE videos SET title = 'x'")
                holdsVideo.continuation.finish()
                let waits = """
                    SELECT COUNT(*) FROM information_schema.processlist
                    WHERE db = DATABASE() AND info LIKE 'DELETE FROM videos%'
                    """
                while try connection.execute(waits).rows == [[.integer(0)]] {}
                try connection.execute("UPDATE outbox SET attempts = attempts + 1")
                try connection.commit()
            }
            for await _ in holdsVideo.stream {}
            #expect(try await store.deleteVideo(video.id))
            try await other
            #expect(try await store.video(video.id) == nil)
            let deadlocks = try await server.run("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'")
            #expect(try #require(Int(deadlocks.split(whereSeparator: \.isWhitespace).last ?? "")) > 0)
        }
    }

    private func onConnection(
        to server: MariaDBServer, _ database: String, _ body: @escaping @Sendable (Connection) throws -> Void
    ) async throws {
        var options = ConnectionOptions()
        (options.host, options.port, options.database) = ("127.0.0.1", server.port, database)
        (options.user, options.password) = (MariaDBServer.user, MariaDBServer.password)
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            Thread { [options] in
                ClientThread.run { continuation.resume(with: Result { try body(try Connection(options)) }) }
            }.start()
        }
    }

    @Test func cancelledCallersLeaveThePoolUsable() async throws {
        try await withStore { store, _, _ async throws in
            for _ in 0..<10 {
                let tasks = (0..<20).map { _ in
                    let video = MetadataSamples.video()
                    let message = MetadataSamples.message(of: video.id)
                    return (video.id, Task { try await store.register(video, message: message, upload: nil) })
                }
                for (index, (_, task)) in tasks.enumerated() where index % 2 == 0 { task.cancel() }
                for (id, task) in tasks {
                    switch await task.result {
                    case .success(let isNew):
                        #expect(isNew)
                        #expect(try await store.video(id) != nil)
                    case .failure(let error):
                        #expect(error as? ClairoError == .cancelled)
                        #expect(try await store.video(id) == nil)
                    }
                }
            }
        }
    }

    @Test func aClosedStoreRefusesWork() async throws {
        try await withStore { store, _, _ async throws in
            await store.close()
            await store.close()
            #expect(await failure { try await store.check() }?.kind == .defect)
        }
    }
}
