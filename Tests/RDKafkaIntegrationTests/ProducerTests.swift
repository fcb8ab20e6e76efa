import ClairoTestSupport
import Foundation
import RDKafka
import Testing

/// The producer with a Kafka cluster. kcat is the independent reader.
@Suite struct ProducerTests {
    private func configuration(_ cluster: KafkaCluster, _ properties: [String: String] = [:]) throws
        -> KafkaConfiguration
    {
        var configuration = try KafkaConfiguration(brokers: cluster.brokers)
        for (name, value) in properties { try configuration.set(name, value) }
        return configuration
    }

    private func records(_ count: Int, _ topic: String) -> [KafkaRecord] {
        (0..<count).map { KafkaRecord(topic: topic, key: "key \($0 % 7)", payload: "payload \($0)") }
    }

    @Test(.enabled(if: Kcat.isInstalled)) func kcatReadsTheSentMessages() async throws {
        let cluster = try await KafkaCluster.shared()
        let topic = try await cluster.makeTopic()
        let producer = try KafkaProducer(try configuration(cluster))
        let results = await producer.send([
            KafkaRecord(
                topic: topic, key: "Schlüssel", payload: "Größe 🎬",
                headers: [KafkaHeader("trace", "abc"), KafkaHeader("trace", "def"), KafkaHeader("leer", "")]),
            KafkaRecord(topic: topic, key: "gone", payload: nil),
            KafkaRecord(topic: topic, key: nil, payload: ""),
        ])
        let receipts = try results.map { try $0.get() }
        #expect(receipts.map(\.offset) == [0, 1, 2])
        #expect(receipts.map(\.partition) == Array(repeating: KafkaPartition(topic: topic, number: 0), count: 3))
        let messages = try await Kcat.messages(of: topic, brokers: cluster.brokers)
        #expect(messages.map(\.key) == ["Schlüssel", "gone", nil])
        #expect(messages.map(\.payload) == ["Größe 🎬", nil, ""])
        #expect(messages.first?.headers == ["trace", "abc", "trace", "def", "leer", ""])
        await producer.close()
    }

    @Test func messagesWithOneKeyKeepTheirOrder() async throws {
        let cluster = try await KafkaCluster.shared()
        let topic = try await cluster.makeTopic(partitions: 4)
        let producer = try KafkaProducer(try configuration(cluster))
        let receipts = try await producer.send(records(500, topic)).map { try $0.get() }
        for key in 0..<7 {
            let mine = receipts.indices.filter { $0 % 7 == key }.map { receipts[$0] }
            #expect(Set(mine.map(\.partition)).count == 1)
            #expect(mine.map(\.offset) == mine.map(\.offset).sorted())
        }
        #expect(Set(receipts).count == 500)
        await producer.close()
    }

    @Test(
        .enabled(if: Kcat.isInstalled),
        arguments: [
            [KafkaCluster.Code.notEnoughReplicas, .notEnoughReplicas], [.notLeader], [.connectionCut],
            [.notEnoughReplicas, .notLeader, .leaderNotAvailable],
        ])
    func temporarilyRefusedMessagesArriveOnce(codes: [KafkaCluster.Code]) async throws {
        let cluster = try await KafkaCluster.start()
        let topic = try await cluster.makeTopic(partitions: 3)
        // One request at a time: unlike Kafka, the mock cluster does not check sequence numbers, so it accepts requests
        // in flight behind a refused one.
        let producer = try KafkaProducer(try configuration(cluster, ["max.in.flight.requests.per.connection": "1"]))
        try await producer.send(KafkaRecord(topic: topic, key: nil, payload: "first"))
        try await cluster.fail(.produce, codes)
        for result in await producer.send(records(100, topic)) { _ = try result.get() }
        let payloads = try await Kcat.messages(of: topic, brokers: cluster.brokers).compactMap(\.payload)
        #expect(payloads.sorted() == (["first"] + (0..<100).map { "payload \($0)" }).sorted())
        await producer.close()
    }

    /// If requests for several partitions are in flight to one broker, as usual, the mock cluster loses the replies to
    /// those before the one whose connection it cuts, but appends the ones behind it. It appends them again when they
    /// are resent. Kafka would detect the duplicates by producer id and sequence number. kcat's messages are duplicated
    /// in the same way, so this test can only check that nothing is lost.
    @Test(.enabled(if: Kcat.isInstalled)) func aCutConnectionLosesNoMessage() async throws {
        let cluster = try await KafkaCluster.start()
        let topic = try await cluster.makeTopic(partitions: 5)
        for partition in 0..<5 { try await cluster.setLeader(1, of: topic, partition: partition) }
        let producer = try KafkaProducer(try configuration(cluster, ["batch.num.messages": "5"]))
        try await producer.send(KafkaRecord(topic: topic, key: nil, payload: "first"))
        try await cluster.setRoundTrip(milliseconds: 20)
        try await cluster.fail(.produce, [.none, .none, .connectionCut, .none, .none, .connectionCut])
        for result in await producer.send(records(200, topic)) { _ = try result.get() }
        let payloads = try await Kcat.messages(of: topic, brokers: cluster.brokers).compactMap(\.payload)
        #expect(Set(payloads) == Set(["first"] + (0..<200).map { "payload \($0)" }))
        #expect(producer.status.rebuilds == 0)
        await producer.close()
    }

    @Test func aDeliveryTimeoutIsAnErrorForEachRecord() async throws {
        let cluster = try await KafkaCluster.start()
        let topic = try await cluster.makeTopic()
        let producer = try KafkaProducer(try configuration(cluster, ["message.timeout.ms": "2500"]))
        try await eventually {
            (try? await producer.send(KafkaRecord(topic: topic, key: nil, payload: "first"))) != nil
        }
        try await cluster.takeDown()
        let begin = ContinuousClock.now
        let results = await producer.send(records(3, topic))
        #expect(ContinuousClock.now - begin < .seconds(300))
        #expect(results.count == 3)
        for result in results {
            let error = try #require(throws: KafkaError.self) { try result.get() }
            #expect(error.category == .timeout)
            #expect(error.isRetriable)
            #expect(error.name == "_MSG_TIMED_OUT")
        }
        try await eventually { producer.status.isDisconnected }
        try await cluster.bringUp()
        try await eventually { await producer.send(records(1, topic)).allSatisfy { (try? $0.get()) != nil } }
        #expect(!producer.status.isDisconnected)
        await producer.close()
    }

    @Test func aFatalErrorIsFollowedByANewClient() async throws {
        let cluster = try await KafkaCluster.start(brokers: 1)
        let topic = try await cluster.makeTopic()
        // All in one request, because the mock cluster would accept a second one after refusing the first.
        let producer = try KafkaProducer(
            try configuration(cluster, ["batch.num.messages": "20", "linger.ms": "20000"]))
        for round in 1...3 {
            // An error about a sequence number that the client did not expect.
            try await cluster.fail(.produce, [.outOfOrderSequence])
            for result in await producer.send(records(20, topic)) {
                let error = try #require(throws: KafkaError.self) { try result.get() }
                #expect(error.isRetriable)
                #expect(!error.isFatal)
                #expect(error.name == "OUT_OF_ORDER_SEQUENCE_NUMBER")
            }
            try await eventually { producer.status.rebuilds == round }
            for result in await producer.send(records(20, topic)) { _ = try result.get() }
        }
        await producer.close()
    }

    @Test func aFatalErrorOfTheClientIsReported() async throws {
        let cluster = try await KafkaCluster.start(brokers: 1)
        let topic = try await cluster.makeTopic()
        // The client requests its producer id when it connects, and a refusal is fatal, also for every new client.
        try await cluster.fail(.initProducerID, Array(repeating: .clusterAuthorizationFailed, count: 100))
        let producer = try KafkaProducer(try configuration(cluster))
        let error = try await #require(throws: KafkaError.self) {
            try await producer.send(KafkaRecord(topic: topic, key: nil, payload: "lost"))
        }
        #expect(error.category == .forbidden)
        #expect(!error.isRetriable)
        try await cluster.forgetFailures(.initProducerID)
        let receipt = try await producer.send(KafkaRecord(topic: topic, key: nil, payload: "found"))
        #expect(receipt.offset == 0)
        #expect(producer.status.rebuilds > 0)
        await producer.close()
    }

    @Test func sendWaitsForSpaceInAFullQueue() async throws {
        let cluster = try await KafkaCluster.shared()
        let topic = try await cluster.makeTopic(partitions: 2)
        let producer = try KafkaProducer(try configuration(cluster, ["queue.buffering.max.messages": "10"]))
        let receipts = try await producer.send(records(500, topic)).map { try $0.get() }
        #expect(Set(receipts).count == 500)
        await producer.close()
    }

    @Test func aRecordThatIsTooLargeFailsAlone() async throws {
        let cluster = try await KafkaCluster.shared()
        let topic = try await cluster.makeTopic()
        let producer = try KafkaProducer(try configuration(cluster))
        let results = await producer.send([
            KafkaRecord(
                topic: topic, payload: Array(repeating: 65, count: 2_000_000), headers: [KafkaHeader("a", "b")]),
            KafkaRecord(topic: topic, key: nil, payload: "small"),
        ])
        let error = try #require(throws: KafkaError.self) { try results[0].get() }
        #expect(error.category == .tooLarge)
        #expect(!error.isRetriable)
        #expect(try results[1].get().offset == 0)
        await producer.close()
    }

    /// librdkafka 2.0.2 frees headers twice if a message with single headers cannot be enqueued.
    @Test func recordsWithHeadersForAMissingTopicFail() async throws {
        let cluster = try await KafkaCluster.start(brokers: 1)
        try await cluster.send("topic-error nowhere 3")
        let producer = try KafkaProducer(
            try configuration(cluster, ["topic.metadata.propagation.max.ms": "0", "message.timeout.ms": "120000"]))
        for _ in 0..<3 {
            let results = await producer.send(
                (0..<5).map { KafkaRecord(topic: "nowhere", key: "\($0)", payload: "x", headers: [.init("a", "b")]) })
            for result in results {
                let error = try #require(throws: KafkaError.self) { try result.get() }
                #expect(error.category == .unknownTopic)
            }
        }
        await producer.close()
    }

    @Test func aCancelledSendReturnsAtOnce() async throws {
        let cluster = try await KafkaCluster.start(brokers: 1)
        let topic = try await cluster.makeTopic()
        try await cluster.takeDown()
        let producer = try KafkaProducer(try configuration(cluster))
        let send = Task { await producer.send(records(3, topic)) }
        send.cancel()
        for result in await send.value {
            #expect(throws: KafkaError.self) { try result.get() }
            if case .failure(let error) = result { #expect(error.category == .cancelled) }
        }
        await producer.close(limit: .milliseconds(10))
    }

    @Test func aCloseIsBoundedAndFailsUndeliveredRecords() async throws {
        let cluster = try await KafkaCluster.start(brokers: 1)
        let topic = try await cluster.makeTopic()
        try await cluster.takeDown()
        let producer = try KafkaProducer(try configuration(cluster, ["statistics.interval.ms": "50"]))
        async let results = producer.send(records(3, topic))
        try await eventually { producer.status.statistics?.unsentMessages == 3 }
        let begin = ContinuousClock.now
        await producer.close(limit: .milliseconds(300))
        #expect(ContinuousClock.now - begin < .seconds(300))
        for result in await results {
            if case .failure(let error) = result { #expect(error.category == .closed) } else { Issue.record() }
        }
        let late = try #require(await producer.send(records(1, topic)).first)
        if case .failure(let error) = late { #expect(error.category == .closed) } else { Issue.record() }
    }

    @Test func statisticsDescribeTheBrokers() async throws {
        let cluster = try await KafkaCluster.shared()
        let topic = try await cluster.makeTopic()
        let producer = try KafkaProducer(try configuration(cluster, ["statistics.interval.ms": "50"]))
        // A round trip is reported in the interval in which it ends.
        try await eventually {
            try await producer.send(KafkaRecord(topic: topic, key: nil, payload: "x"))
            return producer.status.statistics?.brokers.contains { $0.state == "UP" && $0.meanRoundTrip != nil } == true
        }
        try await eventually { producer.status.statistics?.unsentMessages == 0 }
        await producer.close()
    }
}
