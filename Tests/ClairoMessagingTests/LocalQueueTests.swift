import ClairoCore
import ClairoMessaging
import ClairoMetadata
import ClairoTestSupport
import Synchronization
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

    @Test func messagesOfADeadConsumerAreRedeliveredAfterItsLease() async throws {
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
        // Only the test lets the store's time pass, so a busy machine makes no renewal late.
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
