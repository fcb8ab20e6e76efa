import ClairoCore
import ClairoMetadata
import ClairoTestSupport
import SQLite
import Synchronization
import Testing

/// Rows with a document that cannot be read, as another version or a change by hand may leave them.
@Suite struct UnreadableDocumentTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    /// - Returns: The messages of what was reported.
    @discardableResult
    private func withStore(_ body: (any MetadataStore) async throws -> Void) async throws -> [String] {
        let reports = Mutex<[String]>([])
        let store = try await MetadataDatabase.open(
            url: "sqlite:" + scratch.path("clairo.db"), environment: [:],
            report: { error in reports.withLock { $0.append(error.message) } })
        try await body(store)
        await store.close()
        return reports.withLock { $0 }
    }

    private func damage(_ column: String, of table: String) throws {
        try Connection(path: scratch.path("clairo.db"), busyMilliseconds: 10_000)
            .execute("UPDATE \(table) SET \(column) = '{\"broken'")
    }

    /// Checks what was reported, and that it was reported once.
    private func expect(_ places: String..., in messages: [String]) {
        #expect(messages.count == places.count, "\(messages)")
        for place in places { #expect(messages.contains { $0.contains(place) }, "\(place): \(messages)") }
    }

    @Test func aListShowsVideosWithoutTheirDocumentsAndASingleReadFails() async throws {
        let video = MetadataSamples.video()
        let reports = try await withStore { store in
            #expect(
                try await store.register(video, message: MetadataSamples.message(of: video.id), upload: nil))
            try damage("media", of: "videos")
            for _ in 0..<2 {
                let listed = try #require(try await store.videos(VideoFilter()).first)
                #expect(listed.id == video.id && listed.media == nil)
            }
            let error = await failure { _ = try await store.video(video.id) }
            #expect(error?.kind == .defect)
            #expect(error?.message.contains("column media of the row \(video.id) in the table videos") == true)
            #expect(error?.advice != nil)
        }
        expect("column media of the row \(video.id) in the table videos", in: reports)
    }

    @Test func jobsAndTasksAreListedAndASingleReadFails() async throws {
        let reports = try await withStore { store in
            let task = try await MetadataStoreContract.create([.chunk], in: store)[0]
            try damage("warnings", of: "jobs")
            try damage("result", of: "tasks")
            #expect(try await store.jobs(of: task.videoID).map(\.id) == [task.jobID])
            #expect(try await store.listTasks(of: task.jobID).map(\.id) == [task.id])
            #expect(await failure { _ = try await store.job(task.jobID) }?.kind == .defect)
            #expect(await failure { _ = try await store.tasks(of: task.jobID) }?.message.contains("\(task.id)") == true)
        }
        expect("table jobs", "table tasks", in: reports)
    }

    @Test func theQueueGoesOn() async throws {
        let message = MetadataSamples.message(of: .make(), topic: Topic.tasks)
        try await withStore { store in
            let tasks = try await MetadataStoreContract.create([.chunk, .chunk], in: store)
            try await store.post([message], about: nil)
            try await store.enqueue([message])
            try damage("failure", of: "tasks")
            try damage("headers", of: "outbox")
            try damage("headers", of: "queue")
            let claimed = try await store.claimNextTask(kinds: [.chunk], owner: "w", leaseSeconds: 60)
            #expect(claimed?.id == tasks[0].id)
            let sent = try await store.claimOutbox(.queue, owner: "r", limit: 9, leaseSeconds: 60)
            #expect(sent.contains { $0.id == message.id && $0.headers.isEmpty && $0.payload == message.payload })
            let queued = try await store.claimQueued(
                topics: [message.topic], owner: "c", limit: 9, leaseSeconds: 60)
            #expect(queued.map(\.message.id) == [message.id])
        }
    }

    @Test func deadLettersAreListed() async throws {
        let letter = MetadataSamples.deadLetter()
        let reports = try await withStore { store in
            try await store.addDeadLetter(letter, messages: [])
            try damage("headers", of: "dead_letters")
            try damage("failure", of: "dead_letters")
            let listed = try await store.deadLetters(topic: nil, all: false, limit: 9)
            #expect(listed.map(\.id) == [letter.id] && listed.map(\.payload) == [letter.payload])
            #expect(await failure { _ = try await store.deadLetter(letter.id) }?.kind == .defect)
        }
        expect("column headers", "column failure", in: reports)
    }
}
