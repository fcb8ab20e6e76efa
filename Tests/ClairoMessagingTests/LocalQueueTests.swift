import ClairoCore
import ClairoMessaging
import ClairoMetadata
import ClairoTestSupport
import Testing

/// The queue without a service, over every store that may carry it.
@Suite(.timeLimit(.minutes(10))) struct LocalQueueTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private func check(_ promise: MessageQueueContract.Promise, _ store: any MetadataStore) async throws {
        // No lease is to run out while this machine does something else.
        try await promise.check(.init(queue: LocalQueue(records: store, leaseSeconds: 600), topic: "topic"))
        await store.close()
    }

    @Test(arguments: MessageQueueContract.promises)
    func memoryKeepsEveryPromise(_ promise: MessageQueueContract.Promise) async throws {
        try await check(promise, MemoryMetadata())
    }

    @Test(arguments: MessageQueueContract.promises)
    func sqliteKeepsEveryPromise(_ promise: MessageQueueContract.Promise) async throws {
        let store = try await MetadataDatabase.open(url: "sqlite:" + scratch.path("clairo.db"), environment: [:])
        try await check(promise, store)
    }

    @Test(.enabled(if: MariaDBServer.isInstalled), arguments: MessageQueueContract.promises)
    func mariaDBKeepsEveryPromise(_ promise: MessageQueueContract.Promise) async throws {
        let database = try await MariaDBServer.shared.makeDatabase()
        let store = try await MetadataDatabase.open(url: database.url, environment: [:])
        _ = try await store.migrate()
        try await check(promise, store)
    }

    @Test(.enabled(if: MariaDBServer.isInstalled))
    func aDatabaseThatIsAwayIsAnErrorOfEachMessage() async throws {
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

    @Test func whatADeadConsumerHeldComesToAnotherAfterItsLease() async throws {
        let store = MemoryMetadata()
        let message = MetadataSamples.message(of: .make(), topic: "topic", key: "key")
        try await store.enqueue([message])
        // Taken by somebody who will never be heard of again.
        #expect(try await store.claimQueued(topics: ["topic"], owner: "dead", limit: 1, leaseSeconds: 0.2).count == 1)
        let consumer = try await LocalQueue(records: store).consumer(topics: ["topic"], group: "g", inFlight: 1)
        #expect(try await consumer.next()?.id == message.id)
        await consumer.close()
    }

    @Test func aMessageThatIsWorkedOnForLongerThanItsLeaseStaysWithItsConsumer() async throws {
        let store = MemoryMetadata()
        // Long enough for a renewal to be late on a busy machine.
        let queue = LocalQueue(records: store, leaseSeconds: 60)
        try await store.enqueue([MetadataSamples.message(of: .make(), topic: "topic", key: "key")])
        let (one, two) = (
            try await queue.consumer(topics: ["topic"], group: "g", inFlight: 1),
            try await queue.consumer(topics: ["topic"], group: "g", inFlight: 1)
        )
        let message = try #require(try await one.next())
        let other = Task { try await two.next() }
        let begin = ContinuousClock.now
        try await eventually { ContinuousClock.now - begin > .seconds(70) }
        try await one.done(message)
        #expect(try await store.queuedCounts().isEmpty)
        await two.close()
        #expect(try await other.value == nil)
        await one.close()
    }
}
