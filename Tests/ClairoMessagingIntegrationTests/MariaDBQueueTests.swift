import ClairoCore
import ClairoMessaging
import ClairoMetadata
import ClairoTestSupport
import Testing

/// The queue without a broker, with MariaDB.
@Suite(.mostlyWaits) struct MariaDBQueueTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    @Test(.enabled(if: MariaDBServer.isInstalled), arguments: MessageQueueContract.clauses)
    func mariaDBFulfilsTheContract(_ clause: MessageQueueContract.Clause) async throws {
        let database = try await MariaDBServer.shared.makeDatabase()
        let store = try await MetadataDatabase.open(url: database.url, environment: [:])
        _ = try await store.migrate()
        // Leases must not expire while this machine is busy.
        try await clause.check(.init(queue: LocalQueue(records: store, leaseSeconds: 600), topic: "topic"))
        await store.close()
    }

    @Test(.enabled(if: MariaDBServer.isInstalled))
    func anUnavailableDatabaseFailsEachMessage() async throws {
        let server = try await MariaDBServer(folder: scratch.path("mariadb"))
        scratch.onCleanup { server.kill() }
        let store = try await MetadataDatabase.open(url: try await server.makeDatabase().url, environment: [:])
        _ = try await store.migrate()
        let queue = LocalQueue(records: store)
        let producer = try await queue.producer()
        server.kill()
        await MessageQueueContract.checkSendingWhileUnavailable(producer, topic: "topic")
        #expect(await failure { try await queue.check() }?.exitCode == .unavailable)
        await producer.close()
        await store.close()
    }
}
