import ClairoCore
import ClairoMessaging
import ClairoMetadata
import ClairoPipeline
import ClairoTestSupport
import Foundation
import Synchronization
import Testing

/// Two relays run concurrently on one outbox of hundreds of messages. Each message is delivered at least once, in the
/// order of its key.
@Suite(.mostlyWaits, .ownThreads) struct RelayTests {
    enum Database {
        case sqlite, mariaDB

        static let present: [Database] = MariaDBServer.isInstalled ? [.sqlite, .mariaDB] : [.sqlite]
    }

    /// Ten rounds of messages: each key has one in each round, and a batch holds one message of each key.
    private static let count = 600
    private static let keys = 60

    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    @Test(arguments: Database.present)
    func twoRelaysLoseNothingAndKeepTheOrderOfEachKey(database: Database) async throws {
        let stores = try await stores(database)
        let messages = try await fillOutbox(stores[0])
        let deliveries = DeliveryLog()
        let producers = stores.map { _ in BadProducer(deliveries) }
        try await relay(stores, producers)
        let arrived = deliveries.all
        expectAll(messages, in: arrived)
        #expect(arrived.count > Self.count, "there are duplicates")
        for producer in producers { #expect(producer.count > 0, "each relay had work") }
        for store in stores { await store.close() }
    }

    @Test(.enabled(if: Kcat.isInstalled), arguments: Database.present)
    func twoRelaysLoseNothingIfConnectionsToKafkaAreCut(database: Database) async throws {
        let stores = try await stores(database)
        let messages = try await fillOutbox(stores[0])
        let cluster = try await KafkaCluster.start()
        _ = try await cluster.makeTopic(Topic.tasks, partitions: 4)
        try await cluster.fail(.produce, (1...80).map { $0.isMultiple(of: 5) ? .connectionCut : .none })
        let queue = try KafkaQueue(url: "kafka://" + cluster.brokers)
        let producers = [try await queue.producer(), try await queue.producer()]
        try await relay(stores, producers)
        for producer in producers { await producer.close() }
        let arrived = try await Kcat.messages(of: Topic.tasks, brokers: cluster.brokers).compactMap { message in
            let headers = message.headers ?? []
            return headers.firstIndex(of: ReceivedMessage.Header.id).flatMap { MessageID(headers[$0 + 1]) }
        }
        expectAll(messages, in: arrived)
        for store in stores { await store.close() }
    }

    /// A store for each relay, on the same database.
    private func stores(_ database: Database) async throws -> [any MetadataStore] {
        let url =
            switch database {
            case .sqlite: "sqlite:" + scratch.path("clairo.db")
            case .mariaDB: try await MariaDBServer.shared.makeDatabase().url
            }
        let stores = [
            try await MetadataDatabase.open(url: url, environment: [:]),
            try await MetadataDatabase.open(url: url, environment: [:]),
        ]
        _ = try await stores[0].migrate()
        return stores
    }

    /// - Returns: The written messages, in order.
    private func fillOutbox(_ store: any MetadataStore) async throws -> [OutboxMessage] {
        let messages = (0..<Self.count).map { number in
            MetadataSamples.message(of: .make(), topic: Topic.tasks, key: "key \(number % Self.keys)")
        }
        try await store.post(messages, about: nil)
        return messages
    }

    /// Runs a relay on each store until the outbox is empty.
    private func relay(_ stores: [any MetadataStore], _ producers: [any MessageProducer]) async throws {
        try await withThrowingTaskGroup { group in
            for (number, (store, producer)) in zip(stores, producers).enumerated() {
                let relay = Relay(metadata: store, producer: producer, webhook: nil, owner: "relay \(number)")
                group.addTask { await relay.follow(wakeSignal: WakeSignal()) }
            }
            try await eventually { try await stores[0].unsentMessages() == 0 }
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    private func expectAll(_ messages: [OutboxMessage], in arrived: [MessageID]) {
        #expect(Set(arrived) == Set(messages.map(\.id)))
        // Duplicates may arrive later. The first copies are in order.
        let places = Dictionary(zip(arrived, arrived.indices)) { first, _ in first }
        for (key, mine) in Dictionary(grouping: messages, by: \.key) {
            let order = mine.compactMap { places[$0.id] }
            #expect(order == order.sorted(), "\(key)")
        }
    }
}

/// The delivered messages of all producers, in order.
private final class DeliveryLog: Sendable {
    private let ids = Mutex<[MessageID]>([])

    var all: [MessageID] { ids.withLock { $0 } }
    func append(_ id: MessageID) { ids.withLock { $0.append(id) } }
}

/// Loses one message in fifty, and reports failure for another one in fifty that it delivers.
private final class BadProducer: MessageProducer {
    private let deliveries: DeliveryLog
    private let seen = Mutex(0)

    init(_ deliveries: DeliveryLog) { self.deliveries = deliveries }

    var count: Int { seen.withLock { $0 } }

    func send(_ messages: [OutboxMessage]) async -> [ClairoError?] {
        var errors: [ClairoError?] = []
        for message in messages {
            await Task.yield()
            let number = seen.withLock { count in
                count += 1
                return count
            }
            if !number.isMultiple(of: 50) { deliveries.append(message.id) }
            errors.append(number % 50 < 2 ? .unavailable("The broker went away") : nil)
        }
        return errors
    }

    func close() async {}
}
