import ClairoCore
import ClairoMetadata
import ClairoPipeline
import ClairoTestSupport
import Foundation
import Synchronization
import Testing

/// How many statements the database executes for a job of a plan, a chunk, a track and a finish, from its upload to its
/// output. Every change of the store's SQL that adds one is visible here.
@Suite(.mostlyWaits) struct StatementCountTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private static let jobs = 40

    /// Counts what the server counts, so beginning and committing transactions, connecting and reading the time are
    /// included.
    @Test(.enabled(if: MariaDBServer.isInstalled)) func aTinyJobTakesFewStatementsOfMariaDB() async throws {
        let server = try await MariaDBServer(folder: scratch.path("mariadb"))
        scratch.onCleanup { server.stop() }
        let store = try await MetadataDatabase.open(url: try await server.makeDatabase().url, environment: [:])
        _ = try await store.migrate()
        func questions() async throws -> Int {
            let status = try await server.run("SHOW GLOBAL STATUS LIKE 'Questions'")
            return try #require(Int(status.split(whereSeparator: \.isWhitespace).last ?? ""))
        }
        let before = try await questions()
        try await run(store)
        let count = Double(try await questions() - before) / Double(Self.jobs)
        #expect(count <= 52, "\(count) statements for each job")
        await store.close()
    }

    /// Without those that begin and end transactions, which cost nothing there.
    @Test func aTinyJobTakesFewStatementsOfSQLite() async throws {
        let statements = Mutex(0)
        let store = try await MetadataDatabase.open(
            url: "sqlite:" + scratch.path("clairo.db"), environment: [:],
            statements: StatementObserver { _ in statements.withLock { $0 += 1 } })
        try await run(store)
        let count = Double(statements.withLock { $0 }) / Double(Self.jobs)
        #expect(count <= 40, "\(count) statements for each job")
        await store.close()
    }

    /// Runs the jobs in step, so that a relay delivers their messages together, as under load.
    private func run(_ store: any MetadataStore) async throws {
        let queue = CollectingProducer()
        let relay = Relay(metadata: store, producer: queue, webhook: nil, owner: "relay")
        let messages = JobMessages()
        let intake = UploadMessageHandler(
            metadata: store, start: JobStart(metadata: store, policy: QueuePolicy(), messages: messages), events: nil)
        let output = MemoryStore()
        let worker = Worker(
            Worker.Services(
                metadata: store, output: output, openSource: { _ in MemorySource(Data([1])) },
                executor: EmptyExecutor(plan: .sample(chunks: 1, segmentsPerChunk: 1)), messages: messages),
            owner: "worker", leaseSeconds: 3600)
        var ids: [VideoID] = []
        for _ in 0..<Self.jobs {
            let video = MetadataSamples.video()
            let message = OutboxMessage(
                id: .make(), topic: Topic.uploads, key: video.id.rawValue,
                payload: try JSON.encode(UploadMessage(video), pretty: false), createdAt: .now)
            #expect(try await store.register(video, message: message, upload: nil))
            ids.append(video.id)
        }
        _ = try await relay.drain()
        for message in queue.take(Topic.uploads) { #expect(try await intake.handle(message).isEmpty) }
        for kind in [WorkTask.Kind.plan, .chunk, .track, .finish] {
            _ = try await relay.drain()
            #expect(queue.take(Topic.tasks).isEmpty == (kind == .track))
            for _ in 0..<Self.jobs {
                let claimed = try #require(try await worker.claim([kind]))
                try await worker.perform(claimed, stop: StopRequest())
            }
        }
        _ = try await relay.drain()
        for id in ids { #expect(try await store.video(id)?.state == .ready) }
    }
}

/// Keeps what is sent.
private final class CollectingProducer: MessageProducer {
    private let sent = Mutex<[OutboxMessage]>([])

    func send(_ messages: [OutboxMessage]) async -> [ClairoError?] {
        sent.withLock { $0 += messages }
        return messages.map { _ in nil }
    }

    /// Removes and returns the messages of a topic, as a consumer gets them.
    func take(_ topic: String) -> [ReceivedMessage] {
        sent.withLock { sent in
            defer { sent.removeAll { $0.topic == topic } }
            return sent.filter { $0.topic == topic }.map {
                ReceivedMessage(
                    topic: topic, partition: 0, offset: 0, key: $0.key, headers: $0.headers, payload: $0.payload)
            }
        }
    }

    func close() async {}
}

/// Completes every task with empty files.
private struct EmptyExecutor: TaskExecutor {
    let plan: Plan

    func run(
        _ spec: TaskSpec, io: TaskIO, observer: TaskObserver, stop: StopRequest
    ) async throws(ClairoError) -> TaskResult {
        switch spec.work {
        case .plan: return TaskResult(plan: plan)
        case .chunk(let plan, let index):
            for rung in plan.video?.rungs ?? [] {
                try io.output?.put(Data("init".utf8), at: rung.initKey)
                for segment in plan.chunks[index].segments {
                    try io.output?.put(Data("segment".utf8), at: rung.segmentKey(segment))
                }
            }
            return TaskResult()
        default: return TaskResult()
        }
    }
}
