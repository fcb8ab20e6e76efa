import ClairoTestSupport
import Foundation
import RDKafka
import Testing

@Suite struct AdminTests {
    @Test func topicsAreListedWithTheirPartitions() async throws {
        let cluster = try await KafkaCluster.shared()
        let topic = try await cluster.makeTopic(partitions: 3)
        let topics = try await KafkaAdmin(try KafkaConfiguration(brokers: cluster.brokers), limit: .seconds(300))
            .topics()
        let found = try #require(topics.first { $0.name == topic })
        #expect(found.partitions == 3)
        #expect(found.replication >= 1)
    }

    @Test func aTopicIsCreatedAsRequestedAndNotChangedAfterwards() async throws {
        let cluster = try await KafkaCluster.shared()
        // Other brokers create topics automatically.
        let controller = KafkaCluster.external == nil ? try KafkaController(of: cluster) : nil
        let admin = KafkaAdmin(
            try KafkaConfiguration(brokers: controller?.brokers ?? cluster.brokers), limit: .seconds(300))
        let name = "test-" + UUID().uuidString
        #expect(try await admin.createTopic(name, partitions: 5, replication: 1))
        #expect(try await admin.topics().first { $0.name == name }?.partitions == 5)
        #expect(try await !admin.createTopic(name, partitions: 7))
        #expect(try await admin.topics().first { $0.name == name }?.partitions == 5)
        if let controller {
            #expect(
                controller.orders == [
                    .init(name: name, partitions: 5, replication: 1), .init(name: name, partitions: 7, replication: -1),
                ])
        }
    }

    @Test(arguments: [
        (KafkaCluster.Code.topicAuthorizationFailed, KafkaError.Category.forbidden, false),
        (.policyViolation, .forbidden, false), (.invalidReplicationFactor, .configuration, false),
        (.notController, .unavailable, true), (.throttlingQuotaExceeded, .unavailable, true),
    ])
    func theBrokersReasonForNotCreatingATopicIsReported(
        code: KafkaCluster.Code, category: KafkaError.Category, isRetriable: Bool
    ) async throws {
        let controller = try KafkaController(of: try await KafkaCluster.start(brokers: 1))
        controller.refuse(.init(code, "No, because."))
        let admin = KafkaAdmin(try KafkaConfiguration(brokers: controller.brokers), limit: .seconds(300))
        let error = try await #require(throws: KafkaError.self) { try await admin.createTopic("t", partitions: 2) }
        #expect(error.message == "No, because")
        #expect(error.category == category)
        #expect(error.isRetriable == isRetriable)
        controller.refuse(nil)
        #expect(try await admin.createTopic("t", partitions: 2))
    }

    /// The mock cluster has no controller, which topic creation needs.
    @Test func creatingATopicTimesOutWithoutAController() async throws {
        let cluster = try await KafkaCluster.start(brokers: 1)
        let admin = KafkaAdmin(try KafkaConfiguration(brokers: cluster.brokers), limit: .seconds(5))
        let error = try await #require(throws: KafkaError.self) { try await admin.createTopic("t", partitions: 2) }
        #expect(error.category == .timeout)
        #expect(error.message.contains("controller"))
    }

    @Test func anUnknownTopicsProgressIsAnError() async throws {
        let cluster = try await KafkaCluster.shared()
        let admin = KafkaAdmin(try KafkaConfiguration(brokers: cluster.brokers), limit: .seconds(300))
        let error = try await #require(throws: KafkaError.self) {
            try await admin.progress(of: "group", topics: ["none-\(UUID())"])
        }
        #expect(error.category == .unknownTopic)
    }

    @Test func requestsTimeOutIfBrokersAreUnavailable() async throws {
        let cluster = try await KafkaCluster.start(brokers: 1)
        try await cluster.takeDown()
        let admin = KafkaAdmin(try KafkaConfiguration(brokers: cluster.brokers), limit: .milliseconds(500))
        let begin = ContinuousClock.now
        let error = try await #require(throws: KafkaError.self) { try await admin.topics() }
        #expect(error.isRetriable)
        #expect([.unreachable, .timeout].contains(error.category))
        #expect(ContinuousClock.now - begin < .seconds(300))
    }

    /// librdkafka 2.0.2 would wait for the leader without a limit in rd_kafka_query_watermark_offsets.
    @Test(.timeLimit(.minutes(10))) func offsetsOfAPartitionWhoseLeaderIsDeadAreAnErrorUntilItIsBack() async throws {
        let cluster = try await KafkaCluster.start()
        let topic = try await cluster.makeTopic(partitions: 3)
        for partition in 0..<3 { try await cluster.setLeader(partition + 1, of: topic, partition: partition) }
        let patient = KafkaAdmin(try KafkaConfiguration(brokers: cluster.brokers), limit: .seconds(300))
        let offsets = try await patient.inspect(topics: [topic]).offsets
        #expect(offsets.count == 3 && offsets.values.allSatisfy { $0 == 0..<0 })
        try await cluster.takeDown(2)
        let admin = patient.limited(to: .seconds(2))
        for error in [
            try await #require(throws: KafkaError.self) { try await admin.inspect(topics: [topic]) },
            try await #require(throws: KafkaError.self) { try await admin.progress(of: "group", topics: [topic]) },
        ] {
            #expect(error.isRetriable, "\(error)")
        }
        try await cluster.bringUp(2)
        try await eventually { (try? await admin.inspect(topics: [topic]).offsets.count) == 3 }
    }

    @Test func offsetsAreThoseOfTheStoredMessages() async throws {
        let cluster = try await KafkaCluster.shared()
        let topic = try await cluster.makeTopic(partitions: 2)
        let producer = try KafkaProducer(try KafkaConfiguration(brokers: cluster.brokers))
        let receipts = try await producer.send((0..<20).map { KafkaRecord(topic: topic, key: "\($0)", payload: "x") })
            .map { try $0.get() }
        await producer.close()
        let admin = KafkaAdmin(try KafkaConfiguration(brokers: cluster.brokers), limit: .seconds(300))
        for (partition, range) in try await admin.inspect(topics: [topic]).offsets {
            #expect(range == 0..<Int64(receipts.count { $0.partition == partition }))
        }
        let progress = try await admin.progress(of: "nobody-\(UUID())", topics: [topic])
        #expect(progress.map(\.partition.number) == [0, 1])
        #expect(progress.allSatisfy { $0.committed == nil } && progress.reduce(0) { $0 + $1.lag } == 20)
    }

    @Test func aCancelledRequestReturnsAtOnce() async throws {
        let cluster = try await KafkaCluster.start(brokers: 1)
        try await cluster.takeDown()
        let admin = KafkaAdmin(try KafkaConfiguration(brokers: cluster.brokers), limit: .seconds(3))
        let question = Task { try await admin.topics() }
        question.cancel()
        let error = try await #require(throws: KafkaError.self) { try await question.value }
        #expect(error.category == .cancelled)
    }
}
