import ClairoCore
import ClairoMessaging
import ClairoMetadata
import ClairoTestSupport
import Synchronization
import Testing

/// The queue without a service, on every store that supports it.
@Suite(.timeLimit(.minutes(10))) struct LocalQueueTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private func check(_ clause: MessageQueueContract.Clause, _ store: any MetadataStore) async throws {
        // Leases must not expire while this machine is busy.
        try await clause.check(.init(queue: LocalQueue(records: store, leaseSeconds: 600), topic: "topic"))
        await store.close()
    }

    @Test(arguments: MessageQueueContract.clauses)
    func memoryFulfilsTheContract(_ clause: MessageQueueContract.Clause) async throws {
        try await check(clause, MemoryMetadata())
    }

    @Test(arguments: MessageQueueContract.clauses)
    func sqliteFulfilsTheContract(_ clause: MessageQueueContract.Clause) async throws {
        let store = try await MetadataDatabase.open(url: "sqlite:" + scratch.path("clairo.db"), environment: [:])
        try await check(clause, store)
    }

    @Test func messagesOfADeadConsumerAreRedeliveredAfterTheLeaseExpires() async throws {
        let store = MemoryMetadata()
        let message = MetadataSamples.message(of: .make(), topic: "topic", key: "key")
        try await store.enqueue([message])
        // Taken by a consumer that has died.
        #expect(try await store.claimQueued(topics: ["topic"], owner: "dead", limit: 1, leaseSeconds: 0.2).count == 1)
        let consumer = try await LocalQueue(records: store).consumer(topics: ["topic"], group: "g", inFlight: 1)
        #expect(try await consumer.next()?.id == message.id)
        await consumer.close()
    }

    @Test func aConsumerKeepsAMessageForLongerThanOneLease() async throws {
        // Only the test advances the store's clock, so no renewal is late on a busy machine.
        let time = Mutex(Timestamp.now)
        let store = MemoryMetadata(now: { time.withLock { $0 } })
        let queue = LocalQueue(records: store, leaseSeconds: 0.3)
        try await store.enqueue([MetadataSamples.message(of: .make(), topic: "topic", key: "key")])
        let (one, two) = (
            try await queue.consumer(topics: ["topic"], group: "g", inFlight: 1),
            try await queue.consumer(topics: ["topic"], group: "g", inFlight: 1)
        )
        let message = try #require(try await one.next())
        let other = Task { try await two.next() }
        for _ in 0..<10 {
            let renewals = store.queueRenewals
            try await eventually { store.queueRenewals > renewals }
            time.withLock { $0 = $0.advanced(bySeconds: 0.2) }
        }
        try await one.done(message)
        #expect(try await store.queuedCounts().isEmpty)
        await two.close()
        #expect(try await other.value == nil)
        await one.close()
    }
}
