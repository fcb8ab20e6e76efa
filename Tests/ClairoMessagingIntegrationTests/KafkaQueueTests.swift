import ClairoCore
import ClairoMessaging
import ClairoTestSupport
import Foundation
import Testing

/// The queue with a Kafka cluster. The first assignment of a group takes some seconds in the mock cluster.
@Suite struct KafkaQueueTests {
    /// A rebalance of the mock cluster takes the session timeout minus one second.
    private func queue(
        _ brokers: String, timeout: Duration = .seconds(100), _ properties: String...
    ) throws -> KafkaQueue {
        try KafkaQueue(
            url: "kafka://\(brokers)",
            properties: ["session.timeout.ms=12000", "heartbeat.interval.ms=200"] + properties, timeout: timeout)
    }

    @Test(.timeLimit(.minutes(10)), arguments: MessageQueueContract.clauses)
    func kafkaFulfilsTheContract(_ clause: MessageQueueContract.Clause) async throws {
        let cluster = try await KafkaCluster.shared()
        let topic = try await cluster.makeTopic(partitions: 4)
        try await clause.check(.init(queue: try queue(cluster.brokers), topic: topic))
    }

    @Test func unavailableBrokersFailEachMessage() async throws {
        let cluster = try await KafkaCluster.start(brokers: 1)
        let topic = try await cluster.makeTopic()
        let producer = try await queue(cluster.brokers, "message.timeout.ms=2500").producer()
        try await cluster.takeDown()
        await MessageQueueContract.checkSendingWhileUnavailable(producer, topic: topic)
        await producer.close()
    }

    @Test func theCheckNamesMissingTopicsUntilTheyExist() async throws {
        let cluster = try await KafkaCluster.start(brokers: 1)
        let queue = try queue(cluster.brokers)
        for topic in Topic.all.dropFirst(2) { _ = try await cluster.makeTopic(topic) }
        let error = await failure { try await queue.check() }
        #expect(error?.exitCode == .configuration)
        #expect(error?.message.hasSuffix("clairo.uploads, clairo.tasks") == true, "\(String(describing: error))")
        #expect(error?.advice?.contains("clairo produce") == true)
        for topic in Topic.all.prefix(2) { _ = try await cluster.makeTopic(topic) }
        try await queue.check()
    }

    @Test func prepareCreatesMissingTopicsAndKeepsTheOthers() async throws {
        let cluster = try await KafkaCluster.start(brokers: 1)
        _ = try await cluster.makeTopic(Topic.uploads, partitions: 3)
        let controller = try KafkaController(of: cluster)
        let queue = try queue(controller.brokers)
        for _ in 0..<2 { try await queue.prepare(topics: Topic.all) }
        let made = Topic.all.dropFirst().map {
            KafkaController.Order(name: $0, partitions: $0 == Topic.tasks ? 64 : 16, replication: -1)
        }
        #expect(controller.orders == made)
        try await queue.check()
    }

    @Test func theCheckReportsThatTopicsMayNotBeCreated() async throws {
        let controller = try KafkaController(of: try await KafkaCluster.start(brokers: 1))
        controller.refuse(.init(.topicAuthorizationFailed, "Not you"))
        let queue = try queue(controller.brokers)
        try await queue.prepare(topics: Topic.all)
        #expect(controller.orders.map(\.name) == Topic.all)
        let error = await failure { try await queue.check() }
        #expect(error?.exitCode == .configuration)
        #expect(error?.message.hasSuffix(Topic.all.joined(separator: ", ")) == true, "\(String(describing: error))")
    }

    @Test func prepareReportsWhyTopicsCannotBeCreated() async throws {
        let controller = try KafkaController(of: try await KafkaCluster.start(brokers: 1))
        controller.refuse(.init(.invalidReplicationFactor, "Replication factor: 3 larger than available brokers: 1."))
        let queue = try queue(controller.brokers)
        let error = await failure { try await queue.prepare(topics: Topic.all) }
        #expect(error?.exitCode == .configuration)
        #expect(
            error?.message
                == "Creating the topic clairo.uploads: Replication factor: 3 larger than available brokers: 1")
    }

    /// The mock cluster itself has no controller.
    @Test func aClusterThatCannotCreateTopicsIsReportedUnlessAllTopicsExist() async throws {
        let cluster = try await KafkaCluster.start(brokers: 1)
        let queue = try queue(cluster.brokers, timeout: .seconds(10))
        for topic in Topic.all { _ = try await cluster.makeTopic(topic) }
        try await queue.prepare(topics: Topic.all)
        let error = await failure { try await queue.prepare(topics: ["another"]) }
        #expect(error?.kind == .transient)
        #expect(error?.message.hasPrefix("Creating the topic another: ") == true, "\(String(describing: error))")
        #expect(error?.message.contains("controller") == true, "\(String(describing: error))")
    }

    @Test func theCheckReportsWhyNoBrokerIsReachable() async throws {
        let queue = try queue("127.0.0.1:1")
        let error = await failure { try await queue.check() }
        #expect(error?.exitCode == .unavailable)
        #expect(error?.message.contains("127.0.0.1:1") == true, "\(String(describing: error))")
        #expect(error?.message.contains("refused") == true)
    }

    @Test(arguments: ["kafka://", "kafka://u:secret@h:9092", "kafka://h/path", "kafka:h", "amqp://h"])
    func anInvalidQueueURLIsAConfigurationError(_ url: String) async throws {
        let error = await failure { _ = try KafkaQueue(url: url) }
        #expect(error?.exitCode == .configuration)
        #expect(error?.description.contains("secret") == false)
    }
}
