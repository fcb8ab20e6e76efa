import ClairoCore
import ClairoMessaging
import ClairoMetadata
import ClairoPipeline
import ClairoTestSupport
import Foundation
import Synchronization
import Testing

/// How a relay delivers webhooks, on both databases.
@Suite(.mostlyWaits) struct WebhookDeliveryTests {
    typealias Database = RelayTests.Database

    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    @Test(arguments: Database.present)
    func aWebhookIsDeliveredOnce(database: Database) async throws {
        let server = try StubServer { _, _ in HTTPResponse(204) }
        defer { server.stop() }
        try await withStore(database) { store in
            let messages = try (0..<3).map { try event(key: "video \($0)") }
            try await store.post(messages, about: nil)
            let relay = try await relay(store, to: server)
            #expect(try await relay.drain().delivered == 3)
            #expect(try await relay.drain().delivered == 0)
            let deliveries = server.requests.compactMap { $0.headers["clairo-delivery"] }
            #expect(deliveries.sorted() == messages.map(\.id.rawValue).sorted())
            #expect(try await store.unsentMessages() == 0)
        }
    }

    @Test(arguments: Database.present)
    func aWebhookIsRetriedAfterATransientError(database: Database) async throws {
        let answers = Mutex([503, 204])
        let server = try StubServer { _, _ in HTTPResponse(answers.withLock { $0.isEmpty ? 204 : $0.removeFirst() }) }
        defer { server.stop() }
        try await withStore(database) { store in
            try await store.post([try event()], about: nil)
            let relay = try await relay(store, to: server)
            let first = try await relay.drain()
            #expect(first.postponed == 1 && first.deadLetters == 0)
            #expect(first.lastError?.message.contains("503") == true)
            // On a busy machine it is due again, and delivered, within the same round.
            if first.delivered == 0 { try await eventually { try await relay.drain().delivered == 1 } }
            let deliveries = server.requests.compactMap { $0.headers["clairo-delivery"] }
            #expect(deliveries.count == 2 && Set(deliveries).count == 1)
        }
    }

    @Test(arguments: Database.present)
    func aWebhookBecomesADeadLetterAfterTwentyAttempts(database: Database) async throws {
        let server = try StubServer { _, _ in HTTPResponse(503) }
        defer { server.stop() }
        try await withStore(database) { store in
            // The state after nineteen and after eighteen failures.
            let (last, another) = (try event(key: "a", attempts: 19), try event(key: "b", attempts: 18))
            try await store.post([last, another], about: nil)
            let summary = try await relay(store, to: server).drain()
            #expect(summary.deadLetters == 1 && summary.postponed == 1)
            let letters = try await store.deadLetters(topic: nil, all: true, limit: 10)
            #expect(letters.map(\.key) == ["a"] && letters.first?.topic == Topic.webhook)
            #expect(letters.first?.attempts == 20 && letters.first?.payload == last.payload)
            #expect(try await store.unsentMessages() == 1, "nothing is sent to a topic that does not exist")
        }
    }

    @Test(arguments: Database.present)
    func aRefusedWebhookBecomesADeadLetterAtOnce(database: Database) async throws {
        let server = try StubServer { _, _ in HTTPResponse(404) }
        defer { server.stop() }
        try await withStore(database) { store in
            try await store.post([try event()], about: nil)
            #expect(try await relay(store, to: server).drain().deadLetters == 1)
            #expect(try await store.deadLetters(topic: Topic.webhook, all: false, limit: 10).count == 1)
        }
    }

    @Test(arguments: Database.present)
    func aRelayWithoutAWebhookURLLeavesWebhooksToOtherRelays(database: Database) async throws {
        let server = try StubServer { _, _ in HTTPResponse(204) }
        defer { server.stop() }
        try await withStore(database) { store in
            try await store.post([try event()], about: nil)
            let other = try await relay(store, to: nil)
            let summary = try await other.drain()
            #expect(summary.delivered == 0 && summary.postponed == 0)
            let following = Task { await other.follow(wakeSignal: WakeSignal()) }
            try await store.post([MetadataSamples.message(of: .make())], about: nil)
            try await eventually { try await store.queuedCounts()[Topic.uploads] == 1 }
            following.cancel()
            await following.value
            #expect(try await store.pendingWork().isEmpty, "no consumer waits for it")
            #expect(try await relay(store, to: server).drain().delivered == 1, "it is not leased")
            #expect(server.requests.count == 1)
        }
    }

    private func withStore(_ database: Database, _ body: (any MetadataStore) async throws -> Void) async throws {
        let url =
            switch database {
            case .sqlite: "sqlite:" + scratch.path("clairo.db")
            case .mariaDB: try await MariaDBServer.shared.makeDatabase().url
            }
        let store = try await MetadataDatabase.open(url: url, environment: [:])
        _ = try await store.migrate()
        try await body(store)
        await store.close()
    }

    private func relay(_ store: any MetadataStore, to server: StubServer?) async throws -> Relay {
        let webhook = try server.map {
            try HTTPWebhook(url: $0.url, secret: "secret", timeout: 600, environment: ["NO_PROXY": "127.0.0.1"])
        }
        return Relay(
            metadata: store, producer: try await LocalQueue(records: store).producer(), webhook: webhook,
            owner: "relay \(server == nil ? 1 : 2)")
    }

    private func event(key: String = "video", attempts: Int = 0) throws -> OutboxMessage {
        var message = MetadataSamples.message(of: .make(), topic: Topic.webhook, key: key)
        message.payload = try JSON.encode(JobEvent(.ready, job: MetadataSamples.job(of: .make())), pretty: false)
        message.attempts = attempts
        return message
    }
}
