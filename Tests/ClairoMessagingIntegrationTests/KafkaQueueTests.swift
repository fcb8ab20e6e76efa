import ClairoCore
import ClairoMessaging
import ClairoTestSupport
import Foundation
import Testing

/// The queue with a Kafka cluster. The first assignment of a group takes some seconds in the mock cluster.
@Suite(.mostlyWaits) struct KafkaQueueTests {
    /// A rebalance of the mock cluster takes the session timeout minus one second.
    private func queue(
        _ brokers: String, timeout: Duration = .seconds(100), _ properties: String...
    ) throws -> KafkaQueue {
        try KafkaQueue(
            url: "kafka://\(brokers)",
            properties: ["session.timeout.ms=12000", "heartbeat.interval.ms=200"] + properties, timeout: timeout)
    }

    @Test(arguments: MessageQueueContract.clauses)
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

    @Test func missingTopicsAreNamedButAreNoErrorOfTheCheck() async throws {
        let cluster = try await KafkaCluster.start(brokers: 1)
        let queue = try queue(cluster.brokers)
        for topic in Topic.all.dropFirst(2) { _ = try await cluster.makeTopic(topic) }
        #expect(try await queue.missingTopics() == ["clairo.uploads", "clairo.tasks"])
        try await queue.check()
        for topic in Topic.all.prefix(2) { _ = try await cluster.makeTopic(topic) }
        #expect(try await queue.missingTopics().isEmpty)
    }

    @Test func prepareCreatesMissingTopicsAndKeepsTheOthers() async throws {
        let cluster = try await KafkaCluster.start(brokers: 1)
        _ = try await cluster.makeTopic(Topic.uploads, partitions: 3)
        let controller = try KafkaController(of: cluster)
        let queue = try queue(controller.brokers)
        #expect(try await queue.createTopics() == Array(Topic.all.dropFirst()))
        #expect(try await queue.createTopics().isEmpty)
        let made = Topic.all.dropFirst().map {
            KafkaController.Order(name: $0, partitions: $0 == Topic.tasks ? 64 : 16, replication: -1)
        }
        #expect(controller.orders == made)
        try await queue.check()
    }

    @Test func prepareNamesAllTopicsThatMayNotBeCreated() async throws {
        let controller = try KafkaController(of: try await KafkaCluster.start(brokers: 1))
        controller.refuse(.init(.topicAuthorizationFailed, "Not you"))
        let queue = try queue(controller.brokers)
        let error = await failure { try await queue.prepare(topics: Topic.all) }
        #expect(controller.orders.map(\.name) == Topic.all)
        #expect(error?.kind == .refused)
        #expect(error?.exitCode == .noPermission)
        let names = Topic.all.joined(separator: ", ")
        #expect(
            error?.message == "Creating topics in Kafka: the user may not create the topics \(names) (Not you)",
            "\(String(describing: error))")
        #expect(error?.advice?.contains("grant CREATE") == true && error?.advice?.contains("64 partitions") == true)
    }

    @Test func aMessageThatMayNotBeSentIsRefused() async throws {
        let cluster = try await KafkaCluster.start(brokers: 1)
        let topic = try await cluster.makeTopic()
        let producer = try await queue(cluster.brokers).producer()
        try await cluster.fail(.produce, [.topicAuthorizationFailed])
        let error = await producer.send([MetadataSamples.message(of: .make(), topic: topic, key: "a")]).first
        #expect(error??.kind == .refused, "\(String(describing: error))")
        #expect(error??.message.contains("may not write to the topic \(topic)") == true)
        await producer.close()
    }

    @Test func aGroupThatMayNotBeJoinedIsNamed() async throws {
        let cluster = try await KafkaCluster.start(brokers: 1)
        let topic = try await cluster.makeTopic()
        try await cluster.fail(.joinGroup, Array(repeating: .groupAuthorizationFailed, count: 100))
        let consumer = try await queue(cluster.brokers).consumer(topics: [topic], group: "mine", inFlight: 1)
        let error = await failure { _ = try await consumer.next() }
        #expect(error?.kind == .refused)
        #expect(error?.message.contains("may not join the consumer group mine") == true, "\(String(describing: error))")
        await consumer.close()
    }

    @Test func aTopicThatMayNotBeReadIsNamed() async throws {
        let cluster = try await KafkaCluster.start(brokers: 1)
        try await cluster.send("topic-error secret \(KafkaCluster.Code.topicAuthorizationFailed.rawValue)")
        let consumer = try await queue(cluster.brokers).consumer(topics: ["secret"], group: "mine", inFlight: 1)
        let error = await failure { _ = try await consumer.next() }
        #expect(error?.kind == .refused)
        #expect(error?.message.contains("may not read the topic secret") == true, "\(String(describing: error))")
        await consumer.close()
    }

    /// Brokers without TLS and SASL.
    @Test(arguments: [
        (["security.protocol=ssl"], ClairoError.Kind.transient),
        (
            ["security.protocol=sasl_plaintext", "sasl.mechanism=PLAIN", "sasl.username=u", "sasl.password=hunter22"],
            .refused
        ),
    ])
    func aProtocolThatTheBrokersDoNotSpeakIsNamed(properties: [String], kind: ClairoError.Kind) async throws {
        let cluster = try await KafkaCluster.start(brokers: 1)
        let queue = try KafkaQueue(
            url: "kafka://\(cluster.brokers)", properties: properties, timeout: .seconds(5))
        let error = await failure { try await queue.check() }
        #expect(error?.kind == kind, "\(String(describing: error))")
        #expect(error?.message.contains(cluster.brokers) == true)
        #expect(error?.advice?.contains("security.protocol") == true)
        #expect(error?.description.contains("hunter22") == false)
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
        for topic in Topic.all { _ = try await cluster.makeTopic(topic) }
        try await queue(cluster.brokers).prepare(topics: Topic.all)
        let impatient = try queue(cluster.brokers, timeout: .seconds(3))
        let error = await failure { try await impatient.prepare(topics: ["another"]) }
        #expect(error?.kind == .transient)
        #expect(error?.message.hasPrefix("Creating the topic another: ") == true, "\(String(describing: error))")
        #expect(error?.message.contains("controller") == true, "\(String(describing: error))")
    }

    @Test func theCheckReportsWhyNoBrokerIsReachable() async throws {
        let queue = try queue("127.0.0.1:1", timeout: .seconds(5))
        let error = await failure { try await queue.check() }
        #expect(error?.exitCode == .unavailable)
        #expect(error?.message.contains("127.0.0.1:1") == true, "\(String(describing: error))")
        #expect(error?.message.contains("refused") == true)
        #expect(error?.advice?.contains("network") == true)
    }

    /// The survey of serve-metrics.
    @Test func aSurveyFailsWhileABrokerIsDead() async throws {
        let cluster = try await KafkaCluster.start()
        for topic in Topic.all { _ = try await cluster.makeTopic(topic, partitions: 3) }
        for partition in 0..<3 {
            try await cluster.setLeader(partition + 1, of: Topic.uploads, partition: partition)
        }
        let queue = try queue(cluster.brokers)
        func survey() async -> KafkaQueueMetrics? { try? await queue.metrics() }
        try await eventually { await survey()?.partitions.count == 15 }
        try await cluster.takeDown(2)
        let error = await failure { _ = try await queue.metrics() }
        #expect(error?.mayPass == true, "\(String(describing: error))")
        try await cluster.bringUp(2)
        try await eventually { await survey()?.progress.count == 6 }
    }

    @Test(arguments: ["kafka://", "kafka://u:secret@h:9092", "kafka://h/path", "kafka:h", "amqp://h"])
    func anInvalidQueueURLIsAConfigurationError(_ url: String) async throws {
        let error = await failure { _ = try KafkaQueue(url: url) }
        #expect(error?.exitCode == .configuration)
        #expect(error?.description.contains("secret") == false)
    }
}
