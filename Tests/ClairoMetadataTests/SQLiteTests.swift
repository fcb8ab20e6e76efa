import ClairoCore
import ClairoMetadata
import ClairoTestSupport
import Foundation
import SQLite
import Synchronization
import Testing

/// The store with a separate file per test.
@Suite struct SQLiteTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private func open(_ name: String = "new/folder/clairo.db") async throws -> any MetadataStore {
        try await MetadataDatabase.open(url: "sqlite:" + scratch.path(name), environment: [:])
    }

    /// None of its statements reads a whole table.
    @Test(arguments: MetadataStoreContract.clauses)
    func sqliteFulfilsTheContract(clause: MetadataStoreContract.Clause) async throws {
        let statements = Mutex<Set<String>>([])
        let store = try await MetadataDatabase.open(
            url: "sqlite:" + scratch.path("new/folder/clairo.db"), environment: [:],
            statements: StatementObserver { event in statements.withLock { _ = $0.insert(event.sql) } })
        try await clause.check(store)
        await store.close()
        let file = try Connection(path: scratch.path("new/folder/clairo.db"), busyMilliseconds: 1000)
        for sql in statements.withLock({ $0 }) {
            let arguments = Array(repeating: Value.null, count: sql.count { $0 == "?" })
            for row in try file.query("EXPLAIN QUERY PLAN " + sql, arguments).rows {
                guard case .text(let step) = row[3] else { continue }
                #expect(!Self.readsWholeTable(step, of: sql), "\(step): \(sql)")
            }
        }
    }

    private static let tables = [
        "videos", "uploads", "jobs", "tasks", "renditions", "outbox", "queue", "dead_letters", "message", "older",
    ]

    /// - Parameter step: A step of a query plan (https://www.sqlite.org/eqp.html).
    private static func readsWholeTable(_ step: String, of sql: String) -> Bool {
        if step.contains("AUTOMATIC") { return true }
        let words = step.split(separator: " ")
        guard words.first == "SCAN", words.count > 1, tables.contains(String(words[1])) else { return false }
        // In the order of a key, up to a limit, it reads only the first rows.
        return sql.contains("WHERE") || !sql.contains("LIMIT")
    }

    @Test func severalStoresMayOpenANewFileAtOnce() async throws {
        let url = "sqlite://" + scratch.path("clairo.db")
        try await withThrowingTaskGroup { group in
            for _ in 0..<8 {
                group.addTask {
                    let store = try await MetadataDatabase.open(url: url, environment: [:])
                    try await store.check()
                    await store.close()
                }
            }
            try await group.waitForAll()
        }
    }

    @Test func writtenRowsPersistAfterReopening() async throws {
        let video = MetadataSamples.video()
        let first = try await open()
        #expect(try await first.register(video, message: MetadataSamples.message(of: video.id), upload: nil))
        await first.close()
        let second = try await open()
        #expect(try await second.video(video.id) == video)
        await second.close()
    }

    @Test(.enabled(if: TestTools.path(of: "sqlite3") != nil, "sqlite3 is not installed"))
    func anotherClientSeesTheSameRow() async throws {
        let video = MetadataSamples.video()
        let store = try await open()
        #expect(try await store.register(video, message: MetadataSamples.message(of: video.id), upload: nil))
        let sqlite = try ChildProcess(
            "sqlite3",
            [scratch.path("new/folder/clairo.db"), "SELECT original_name FROM videos WHERE id = '\(video.id)'"])
        #expect(try await sqlite.outcome().text == "holiday.mp4\n")
        await store.close()
    }

    @Test func aFileOfTheFirstSchemaIsMigrated() async throws {
        let (video, job) = (VideoID.make(), JobID.make())
        let file = try Connection(path: scratch.path("clairo.db"), busyMilliseconds: 1000)
        for statement in Schema1Database.onSQLite(with: video, job: job) { try file.execute(statement) }
        let store = try await open("clairo.db")
        let versions = try await store.schema()
        #expect(versions.database == versions.program)
        #expect(try await store.video(video)?.originalName == "old.mp4")
        for statement in Schema1Database.laterStatements(of: job, video) { try file.execute(statement) }
        try await Schema1Database.expectMessages(in: store)
        try await Schema1Database.expectRenditions(of: job, video, in: store)
        let tables = try file.query("SELECT name FROM sqlite_schema").rows.compactMap(\.first)
        #expect(tables.contains(.text("outbox")) && !tables.contains(.text("inbox")))
        try await Schema1Database.expectTracks(of: job, in: store)
        #expect(try await store.job(job)?.warnings == [])
        await store.close()
    }

    @Test func aSchemaOfANewerProgramIsRefused() async throws {
        await (try await open("clairo.db")).close()
        try Connection(path: scratch.path("clairo.db"), busyMilliseconds: 1000)
            .execute("INSERT INTO schema_migrations VALUES (999, 'future', 0)")
        let error = await failure { _ = try await open("clairo.db") }
        #expect(error?.exitCode == .configuration)
        #expect(error?.message.contains("999") == true)
    }

    @Test func aFileThatIsNotADatabaseIsRefusedAndNotChanged() async throws {
        let text = String(repeating: "no database\n", count: 500)
        try scratch.write(text, to: "notes.txt")
        let error = await failure { _ = try await open("notes.txt") }
        #expect(error?.exitCode == .configuration)
        #expect(error?.message.contains("notes.txt") == true)
        #expect(try String(contentsOf: scratch.url("notes.txt"), encoding: .utf8) == text)
    }

    @Test func reportsAFolderInPlaceOfTheFileAndAFileInPlaceOfTheFolder() async throws {
        try FileManager.default.createDirectory(atPath: scratch.path("dir"), withIntermediateDirectories: true)
        #expect(await failure { _ = try await open("dir") }?.exitCode == .cannotCreate)
        try scratch.write("x", to: "file")
        #expect(await failure { _ = try await open("file/clairo.db") }?.exitCode == .cannotCreate)
    }

    @Test(.enabled(if: ReadOnlyMount.isPossible, "only root can mount"))
    func aFileOnAReadOnlyFileSystemIsAPermissionError() async throws {
        await (try await open("folder/clairo.db")).close()
        _ = try ReadOnlyMount(scratch.path("folder"), in: scratch)
        for name in ["folder/clairo.db", "folder/new.db"] {
            let error = await failure { _ = try await open(name) }
            #expect(error?.exitCode == .noPermission)
            #expect(error?.message.contains(name) == true)
        }
    }

    @Test func aWriterWaitsForAnotherProgramAndReadersDoNot() async throws {
        let store = try await open("clairo.db")
        let holder = try Connection(path: scratch.path("clairo.db"), busyMilliseconds: 1000)
        try holder.execute("BEGIN IMMEDIATE")
        let video = MetadataSamples.video()
        async let isNew = store.register(video, message: MetadataSamples.message(of: video.id), upload: nil)
        #expect(try await store.video(video.id) == nil)
        try holder.execute("ROLLBACK")
        #expect(try await isNew)
        await store.close()
    }

    /// The last connection that closes checkpoints the write-ahead log into the file and deletes it.
    @Test func closingTheStoreLeavesOneFile() async throws {
        let store = try await open("clairo.db")
        let video = MetadataSamples.video()
        #expect(try await store.register(video, message: MetadataSamples.message(of: video.id), upload: nil))
        #expect(try await store.video(video.id) != nil)
        await store.close()
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path("")) == ["clairo.db"])
    }

    @Test func aCancelledCallerGetsAnErrorAndTheStoreContinues() async throws {
        let store = try await open()
        for _ in 0..<20 {
            let video = MetadataSamples.video()
            let task = Task {
                try await store.register(video, message: MetadataSamples.message(of: video.id), upload: nil)
            }
            task.cancel()
            switch await task.result {
            case .success(let isNew):
                #expect(isNew)
                #expect(try await store.video(video.id) != nil)
            case .failure(let error):
                #expect(error as? ClairoError == .cancelled)
                #expect(try await store.video(video.id) == nil)
            }
        }
        await store.close()
        #expect(await failure { try await store.check() }?.kind == .defect)
    }

    @Test(arguments: ["", "clairo.db", "sqlite:", "sqlite://relative", "postgres://u:secret@h/d", "https://x"])
    func anUnsupportedURLIsRefusedWithoutShowingItsPassword(url: String) async throws {
        let error = await failure { _ = try await MetadataDatabase.open(url: url, environment: [:]) }
        #expect(error?.exitCode == .configuration)
        #expect(error?.description.contains("secret") == false)
    }

    @Test(arguments: ["sqlite::memory:", "sqlite://:memory:", "sqlite:file:x?mode=memory"])
    func aDatabaseInMemoryIsRefusedWithTheReason(url: String) async throws {
        let error = await failure { _ = try await MetadataDatabase.open(url: url, environment: [:]) }
        #expect(error?.exitCode == .configuration)
        #expect(error?.message.contains("lost when the process ends") == true)
    }

    /// Linux allows any bytes in names.
    @Test func aDatabaseCanHaveAnyName() async throws {
        let path = scratch.path(SystemText.string([0xE9]) + "/" + SystemText.string([0xFF]) + ".db")
        let store = try await MetadataDatabase.open(url: "sqlite:" + path, environment: [:])
        try await store.check()
        await store.close()
        #expect(SystemFile.exists(path))
    }
}
