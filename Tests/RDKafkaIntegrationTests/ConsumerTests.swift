import ClairoTestSupport
import Foundation
import RDKafka
import Testing

/// The consumer with a Kafka cluster. The first assignment of a group takes three seconds in the mock cluster.
@Suite struct ConsumerTests {
    private let group = "group-" + UUID().uuidString

    private func configuration(_ cluster: KafkaCluster, _ properties: [String: String] = [:]) throws
        -> KafkaConfiguration
    {
        var configuration = try KafkaConfiguration(brokers: cluster.brokers)
        // No member may be removed because the machine is busy.
        try configuration.set("session.timeout.ms", "60000")
        try configuration.set("heartbeat.interval.ms", "200")
        for (name, value) in properties { try configuration.set(name, value) }
        return configuration
    }

    /// For consumers that rejoin: a rebalance of the mock cluster takes the session timeout minus one second.
    private static let quick = ["session.timeout.ms": "3000"]
    /// For two consumers that must not be removed meanwhile.
    private static let steady = ["session.timeout.ms": "12000"]

    private func consumer(
        _ cluster: KafkaCluster, _ topic: String, inFlight: Int = 100, _ properties: [String: String] = [:]
    ) throws -> KafkaConsumer {
        try KafkaConsumer(
            try configuration(cluster, properties), group: group, topics: [topic], maxInFlight: inFlight)
    }

    /// Sends one message per number, spread over all partitions.
    private func produce(_ numbers: Range<Int>, to topic: String, _ cluster: KafkaCluster) async throws {
        let producer = try KafkaProducer(try KafkaConfiguration(brokers: cluster.brokers))
        let records = numbers.map { KafkaRecord(topic: topic, key: "\($0)", payload: "\($0)") }
        for result in await producer.send(records) { _ = try result.get() }
        await producer.close()
    }

    private func take(_ consumer: KafkaConsumer) async throws -> KafkaMessage {
        try #require(try await consumer.next())
    }

    private func number(_ message: KafkaMessage) -> Int? {
        message.payload.flatMap { Int(String(decoding: $0, as: UTF8.self)) }
    }

    /// Takes messages and marks them as done until every number is done. Returns how often each number was delivered.
    private func doAll(_ numbers: some Sequence<Int>, _ consumer: KafkaConsumer) async throws -> [Int: Int] {
        var seen: [Int: Int] = [:]
        var open = Set(numbers)
        while !open.isEmpty {
            do {
                let message = try await take(consumer)
                let number = try #require(self.number(message))
                seen[number, default: 0] += 1
                if consumer.done(message) { open.remove(number) }
            } catch let error as KafkaError where !error.isFatal && error.category != .cancelled {
                continue
            }
        }
        return seen
    }

    private func lag(_ cluster: KafkaCluster, _ topic: String) async throws -> Int64 {
        try await KafkaAdmin(try KafkaConfiguration(brokers: cluster.brokers), limit: .seconds(300)).progress(
            of: group, topics: [topic]
        )
        .reduce(0) { $0 + $1.lag }
    }

    // MARK: Messages

    @Test(.enabled(if: Kcat.isInstalled)) func readsMessagesSentByKcat() async throws {
        let cluster = try await KafkaCluster.shared()
        let topic = try await cluster.makeTopic()
        let bytes = Data((0...255).map { UInt8($0) })
        try await Kcat.produce(
            bytes, key: "Schlüssel", headers: [("trace", "abc"), ("empty", "")], to: topic, brokers: cluster.brokers)
        try await Kcat.produceNull(key: "gone", to: topic, brokers: cluster.brokers)
        let consumer = try consumer(cluster, topic)
        let first = try await take(consumer)
        #expect(first.payload == Array(bytes))
        #expect(first.key == Array("Schlüssel".utf8))
        #expect(first.headers == [KafkaHeader("trace", "abc"), KafkaHeader("empty", "")])
        #expect(first.header("trace") == "abc")
        #expect(first.offset == 0)
        #expect(try #require(first.timestamp) > 1_600_000_000_000)
        #expect(consumer.done(first))
        let second = try await take(consumer)
        #expect(second.payload == nil)
        #expect(second.key == Array("gone".utf8))
        #expect(consumer.done(second))
        #expect(await consumer.close(limit: .seconds(300)))
        #expect(try await lag(cluster, topic) == 0)
    }

    @Test func eachPartitionHasAtMostOneUnfinishedMessage() async throws {
        let cluster = try await KafkaCluster.shared()
        let topic = try await cluster.makeTopic(partitions: 2)
        try await produce(0..<40, to: topic, cluster)
        let consumer = try consumer(cluster, topic)
        let one = try await take(consumer)
        let two = try await take(consumer)
        #expect(one.partition != two.partition)
        let third = Task { try await consumer.next() }
        // Whole fetches have arrived, but no third message is delivered.
        try await produce(40..<80, to: topic, cluster)
        #expect(consumer.status.unfinished == 2)
        #expect(consumer.done(two))
        let next = try #require(try await third.value)
        #expect(next.partition == two.partition)
        #expect(next.offset == two.offset + 1)
        #expect(consumer.isCurrent(one))
        await consumer.close()
    }

    @Test func aReleasedMessageIsRedeliveredBeforeLaterOnes() async throws {
        let cluster = try await KafkaCluster.shared()
        let topic = try await cluster.makeTopic()
        try await produce(0..<3, to: topic, cluster)
        let consumer = try consumer(cluster, topic)
        for _ in 0..<3 {
            let message = try await take(consumer)
            #expect(message.offset == 0)
            consumer.release(message)
        }
        #expect(try await doAll(0..<3, consumer) == [0: 1, 1: 1, 2: 1])
        await consumer.close()
    }

    @Test func onlyUnfinishedMessagesAreRedelivered() async throws {
        let cluster = try await KafkaCluster.shared()
        let topic = try await cluster.makeTopic()
        try await produce(0..<3, to: topic, cluster)
        let first = try consumer(cluster, topic)
        #expect(first.done(try await take(first)))
        let unfinished = try await take(first)
        #expect(unfinished.offset == 1)
        #expect(await first.close(limit: .seconds(300)))
        #expect(try await first.next() == nil)
        #expect(try await lag(cluster, topic) == 2)
        let second = try consumer(cluster, topic)
        #expect(try await doAll(1..<3, second) == [1: 1, 2: 1])
        #expect(await second.close(limit: .seconds(300)))
        #expect(try await lag(cluster, topic) == 0)
    }

    @Test func manyMessagesArriveInOrderAndOnce() async throws {
        let cluster = try await KafkaCluster.shared()
        let topic = try await cluster.makeTopic(partitions: 3)
        let consumer = try consumer(cluster, topic)
        try await produce(0..<5000, to: topic, cluster)
        var offsets: [KafkaPartition: Int64] = [:]
        for _ in 0..<5000 {
            let message = try await take(consumer)
            #expect(message.offset == offsets[message.partition, default: 0])
            offsets[message.partition] = message.offset + 1
            #expect(consumer.done(message))
        }
        #expect(await consumer.close(limit: .seconds(300)))
        #expect(try await lag(cluster, topic) == 0)
    }

    // MARK: Groups

    @Test func consumersShareThePartitions() async throws {
        let cluster = try await KafkaCluster.start()
        let topic = try await cluster.makeTopic(partitions: 2)
        try await produce(0..<20, to: topic, cluster)
        let one = try consumer(cluster, topic, Self.steady)
        let held = [try await take(one), try await take(one)]
        #expect(one.status.assigned.count == 2)
        let two = try consumer(cluster, topic, Self.steady)
        try await eventually { one.status.assigned.count == 1 && two.status.assigned.count == 1 }
        #expect(Set(one.status.assigned).isDisjoint(with: two.status.assigned))
        let mine = try #require(held.first { one.status.assigned.contains($0.partition) })
        let lost = try #require(held.first { $0.partition != mine.partition })
        // The reassigned partition was fetched again, but waits for its unfinished message.
        let again = Task { try await one.next() }
        let taken = try await take(two)
        #expect(taken.partition == lost.partition)
        #expect(taken.offset == lost.offset)
        #expect(one.status.unfinished == 2)
        #expect(!one.isCurrent(mine))
        #expect(!one.isCurrent(lost))
        #expect(!one.done(lost), "the partition belongs to another consumer")
        #expect(!one.done(mine), "the partition was revoked in between")
        let repeated = try #require(try await again.value)
        #expect((repeated.partition, repeated.offset) == (mine.partition, mine.offset))
        #expect(repeated.generation != mine.generation)
        #expect(one.done(repeated))
        #expect(two.done(taken))
        #expect(await two.close(limit: .seconds(300)))
        try await eventually { one.status.assigned.count == 2 }
        // Two numbers are already done.
        _ = try await doAll(Set(0..<20).subtracting([number(repeated), number(taken)].compactMap(\.self)), one)
        #expect(await one.close(limit: .seconds(300)))
        #expect(try await lag(cluster, topic) == 0)
    }

    @Test func thePartitionsOfADeadConsumerAreReassigned() async throws {
        let cluster = try await KafkaCluster.start()
        let topic = try await cluster.makeTopic()
        try await produce(0..<3, to: topic, cluster)
        // kcat, because nothing in this process can be killed. It must never commit.
        let dead = try ChildProcess(
            "kcat",
            [
                "-u", "-b", cluster.brokers, "-X", "session.timeout.ms=3000", "-X", "auto.offset.reset=earliest",
                "-X", "enable.auto.commit=false", "-G",
                group, topic,
            ])
        _ = await dead.line(on: .output) { $0 == "0" }
        dead.send(SIGKILL)
        let consumer = try consumer(cluster, topic, Self.steady)
        let seen = try await doAll(2..<3, consumer)
        #expect(seen[2] == 1)
        await consumer.close()
    }

    @Test func aMessageMayTakeLongerThanThePollInterval() async throws {
        let cluster = try await KafkaCluster.start(brokers: 1)
        let topic = try await cluster.makeTopic()
        try await produce(0..<2, to: topic, cluster)
        let consumer = try consumer(cluster, topic, ["max.poll.interval.ms": "20000", "session.timeout.ms": "20000"])
        let message = try await take(consumer)
        let begin = ContinuousClock.now
        try await eventually {
            #expect(consumer.status.secondsSincePoll < 20)
            return ContinuousClock.now - begin > .seconds(25)
        }
        #expect(consumer.isCurrent(message))
        #expect(consumer.done(message))
        #expect(try await take(consumer).offset == 1)
        await consumer.close()
    }

    // MARK: Faults

    @Test(arguments: [
        (KafkaCluster.API.fetch, [KafkaCluster.Code.notLeader, .connectionCut, .unknown, .leaderNotAvailable]),
        (.offsetCommit, [.rebalanceInProgress, .notCoordinator, .requestTimedOut]),
        (.offsetCommit, [.illegalGeneration]),
        (.heartbeat, [.rebalanceInProgress]), (.heartbeat, [.unknownMember]), (.heartbeat, [.connectionCut]),
        (.heartbeat, [.notCoordinator, .illegalGeneration]),
        (.joinGroup, [.notCoordinator, .coordinatorNotAvailable]), (.syncGroup, [.rebalanceInProgress]),
        (.offsetFetch, [.notCoordinator]), (.findCoordinator, [.coordinatorNotAvailable, .connectionCut]),
        (.listOffsets, [.notLeader, .leaderNotAvailable]),
    ])
    func injectedErrorsLoseNoMessage(api: KafkaCluster.API, codes: [KafkaCluster.Code]) async throws {
        let cluster = try await KafkaCluster.start()
        let topic = try await cluster.makeTopic(partitions: 2)
        try await produce(0..<50, to: topic, cluster)
        let isEarly: Set<KafkaCluster.API> = [.joinGroup, .syncGroup, .offsetFetch, .findCoordinator, .listOffsets]
        if isEarly.contains(api) { try await cluster.fail(api, codes) }
        let consumer = try consumer(cluster, topic, Self.quick)
        var seen = try await doAll(0..<50, consumer)
        if !isEarly.contains(api) { try await cluster.fail(api, codes) }
        try await produce(50..<100, to: topic, cluster)
        seen.merge(try await doAll(50..<100, consumer)) { $0 + $1 }
        #expect(seen.keys.sorted() == Array(0..<100))
        // Messages that were not committed when the group lost a member are redelivered.
        let rest = Task { try await doAll([-1], consumer) }
        try await eventually { (try? await lag(cluster, topic)) == 0 }
        rest.cancel()
        _ = await rest.result
        #expect(await consumer.close(limit: .seconds(300)))
    }

    @Test func aMovedCoordinatorLosesNoMessage() async throws {
        let cluster = try await KafkaCluster.start()
        let topic = try await cluster.makeTopic(partitions: 2)
        try await cluster.setCoordinator(1, ofGroup: group)
        try await produce(0..<10, to: topic, cluster)
        let consumer = try consumer(cluster, topic, Self.quick)
        _ = try await doAll(0..<10, consumer)
        try await cluster.setCoordinator(2, ofGroup: group)
        try await produce(10..<20, to: topic, cluster)
        _ = try await doAll(10..<20, consumer)
        try await eventually { (try? await lag(cluster, topic)) == 0 }
        #expect(await consumer.close(limit: .seconds(300)))
    }

    @Test func anOutageOfTheBrokersLosesNoMessage() async throws {
        let cluster = try await KafkaCluster.start()
        let topic = try await cluster.makeTopic(partitions: 3)
        try await produce(0..<10, to: topic, cluster)
        let consumer = try consumer(cluster, topic, Self.quick)
        let held = try await take(consumer)
        try await cluster.takeDown()
        try await eventually { consumer.status.client.isDisconnected }
        try await cluster.bringUp()
        consumer.release(held)
        _ = try await doAll(0..<10, consumer)
        try await eventually { (try? await lag(cluster, topic)) == 0 }
        try await eventually { !consumer.status.client.isDisconnected }
        #expect(await consumer.close(limit: .seconds(300)))
    }

    @Test func aMissingTopicIsAnErrorUntilItExists() async throws {
        let cluster = try await KafkaCluster.start(brokers: 1)
        // Brokers with automatic topic creation create it here, too.
        try await cluster.send("topic-error later 3")
        let consumer = try consumer(cluster, "later", ["topic.metadata.refresh.interval.ms": "300"])
        let error = try await #require(throws: KafkaError.self) { try await consumer.next() }
        #expect(error.category == .unknownTopic)
        #expect(error.isRetriable)
        try await cluster.send("topic-error later 0")
        try await produce(0..<1, to: "later", cluster)
        #expect(try await doAll(0..<1, consumer) == [0: 1])
        await consumer.close()
    }

    @Test func missingReadPermissionIsReported() async throws {
        let cluster = try await KafkaCluster.start(brokers: 1)
        let topic = try await cluster.makeTopic()
        try await cluster.fail(.joinGroup, Array(repeating: .groupAuthorizationFailed, count: 100))
        let consumer = try consumer(cluster, topic)
        let error = try await #require(throws: KafkaError.self) { try await consumer.next() }
        #expect(error.category == .forbidden)
        #expect(!error.isRetriable)
        await consumer.close()
    }

    /// Brokers fence only static members (`group.instance.id`). librdkafka 2.0.2 handles the error differently for
    /// other members.
    @Test(
        arguments: [KafkaCluster.API.heartbeat, .joinGroup, .syncGroup], [["group.instance.id": "one"], [:]])
    func aFatalErrorEndsTheConsumer(api: KafkaCluster.API, properties: [String: String]) async throws {
        let cluster = try await KafkaCluster.start(brokers: 1)
        let topic = try await cluster.makeTopic(partitions: 2)
        try await produce(0..<10, to: topic, cluster)
        let isEarly = api != .heartbeat
        if isEarly { try await cluster.fail(api, [.fencedInstance]) }
        let consumer = try consumer(cluster, topic, properties)
        let held = isEarly ? [] : [try await take(consumer), try await take(consumer)]
        if !isEarly { try await cluster.fail(api, [.fencedInstance]) }
        for _ in 0..<2 {
            let error = try await #require(throws: KafkaError.self) { try await consumer.next() }
            #expect(error.isFatal)
            #expect(!error.isRetriable)
            #expect(error.name == "FENCED_INSTANCE_ID")
        }
        // Nothing is committed from here on.
        for message in held { #expect(!consumer.done(message)) }
        #expect(consumer.status.assigned.isEmpty)
        #expect(await consumer.close(limit: .seconds(300)))
    }

    // MARK: Closing

    @Test func cancellationEndsAWaitAtOnce() async throws {
        let cluster = try await KafkaCluster.shared()
        let topic = try await cluster.makeTopic()
        let consumer = try consumer(cluster, topic)
        let wait = Task { try await consumer.next() }
        wait.cancel()
        let error = try await #require(throws: KafkaError.self) { try await wait.value }
        #expect(error.category == .cancelled)
        await consumer.close()
    }

    @Test func afterAStopUnfinishedMessagesCanStillBeMarkedAsDone() async throws {
        let cluster = try await KafkaCluster.shared()
        let topic = try await cluster.makeTopic()
        try await produce(0..<2, to: topic, cluster)
        let consumer = try consumer(cluster, topic)
        let message = try await take(consumer)
        let wait = Task { try await consumer.next() }
        consumer.stop()
        #expect(try await wait.value == nil)
        #expect(consumer.done(message))
        #expect(await consumer.close(limit: .seconds(300)))
        #expect(try await lag(cluster, topic) == 1)
    }

    @Test func aCloseIsBoundedWhenTheBrokersAreUnavailable() async throws {
        let cluster = try await KafkaCluster.start()
        let topic = try await cluster.makeTopic()
        try await produce(0..<2, to: topic, cluster)
        let consumer = try consumer(cluster, topic)
        #expect(consumer.done(try await take(consumer)))
        try await cluster.takeDown()
        let begin = ContinuousClock.now
        _ = await consumer.close(limit: .seconds(2))
        #expect(ContinuousClock.now - begin < .seconds(120))
    }

    @Test func statisticsReportTheLag() async throws {
        let cluster = try await KafkaCluster.shared()
        let topic = try await cluster.makeTopic()
        try await produce(0..<5, to: topic, cluster)
        let consumer = try consumer(cluster, topic, ["statistics.interval.ms": "100"])
        func lag() -> Int64? { consumer.status.client.statistics?.partitions.first?.lag }
        #expect(consumer.done(try await take(consumer)))
        try await eventually { lag() == 4 }
        for _ in 0..<4 { #expect(consumer.done(try await take(consumer))) }
        try await eventually { lag() == 0 }
        #expect(consumer.status.client.statistics?.partitions.first?.highWatermark == 5)
        await consumer.close()
    }
}
