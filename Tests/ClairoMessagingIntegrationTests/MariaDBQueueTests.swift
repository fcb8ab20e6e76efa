import ClairoCore
import ClairoMessaging
import ClairoMetadata
import ClairoTestSupport
import Testing

/// The queue without a broker, on MariaDB.
@Suite(.timeLimit(.minutes(10))) struct MariaDBQueueTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    @Test(.enabled(if: MariaDBServer.isInstalled), arguments: MessageQueueContract.promises)
    func mariaDBKeepsEveryPromise(_ promise: MessageQueueContract.Promise) async throws {
        let database = try await MariaDBServer.shared.makeDatabase()
        let store = try await MetadataDatabase.open(url: database.url, environment: [:])
        _ = try await store.migrate()
        // No lease is to run out while this machine does something else.
        try await promise.check(.init(queue: LocalQueue(records: store, leaseSeconds: 600), topic: "topic"))
        await store.close()
    }

    @Test(.enabled(if: MariaDBServer.isInstalled))
    func anUnavailableDatabaseIsAnErrorForEachMessage() async throws {
        let server = try await MariaDBServer(folder: scratch.path("mariadb"))
        scratch.onCleanup { server.kill() }
        let store = try await MetadataDatabase.open(url: try await server.makeDatabase().url, environment: [:])
        _ = try await store.migrate()
        let queue = LocalQueue(records: store)
        let producer = try await queue.producer()
        server.kill()
        await MessageQueueContract.checkSendingToNobody(producer, topic: "topic")
        #expect(await failure { try await queue.check() }?.exitCode == .unavailable)
        await producer.close()
        await store.close()
    }
}
