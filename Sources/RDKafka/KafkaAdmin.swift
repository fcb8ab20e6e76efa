internal import CRDKafka
internal import Foundation
internal import Synchronization

/// Administers and inspects a cluster. Each call creates a client, which is slow, so do not call it for each message.
public struct KafkaAdmin: Sendable {
    private let configuration: KafkaConfiguration
    private let limit: Int32

    /// - Parameter limit: The timeout of each request.
    public init(_ configuration: KafkaConfiguration, limit: Duration = .seconds(10)) {
        self.configuration = configuration
        self.limit = Int32(max(1, min(3_600_000, limit / .milliseconds(1))))
    }

    /// Creates a topic unless it exists.
    /// - Parameter replication: Replicas of each partition, or nil for the cluster's default.
    /// - Returns: Whether the topic was created.
    @discardableResult
    public func createTopic(
        _ name: String, partitions: Int, replication: Int? = nil
    ) async throws(KafkaError) -> Bool {
        try await run(RD_KAFKA_PRODUCER, group: nil) { client throws(KafkaError) in
            try createTopic(name, partitions, replication ?? -1, client)
        }
    }

    /// All topics except internal ones (`__…`) and those with an error, by name.
    public func topics() async throws(KafkaError) -> [KafkaTopic] {
        try await run(RD_KAFKA_PRODUCER, group: nil) { client throws(KafkaError) in try topics(client) }
    }

    /// The progress of a group in each partition of the given topics, ordered by partition.
    /// - Throws: An error of category `unknownTopic` if a topic does not exist.
    public func progress(of group: String, topics names: [String]) async throws(KafkaError) -> [KafkaGroupProgress] {
        try await run(RD_KAFKA_CONSUMER, group: group) { client throws(KafkaError) in
            let counts = Dictionary(uniqueKeysWithValues: try topics(client).map { ($0.name, $0.partitions) })
            var partitions: [KafkaPartition] = []
            for name in names {
                guard let count = counts[name] else {
                    throw KafkaError(
                        RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, "the topic \"\(name)\" does not exist")
                }
                partitions += (0..<count).map { KafkaPartition(topic: name, number: Int32($0)) }
            }
            return try progress(partitions.sorted(), client)
        }
    }

    // MARK: Inspection

    /// The brokers, the topics, and the offset ranges of the given topics.
    /// - Parameter names: Topics to inspect. Missing topics are skipped.
    public func inspect(topics names: [String]) async throws(KafkaError) -> KafkaClusterState {
        try await run(RD_KAFKA_PRODUCER, group: nil) { client throws(KafkaError) in
            let (brokers, all) = try cluster(client)
            let topics = all.filter { names.contains($0.name) }
            var offsets: [KafkaPartition: Range<Int64>] = [:]
            for topic in topics {
                for number in 0..<Int32(topic.partitions) {
                    let partition = KafkaPartition(topic: topic.name, number: number)
                    offsets[partition] = try offsetRange(partition, client)
                }
            }
            return KafkaClusterState(brokers: brokers, topics: topics, offsets: offsets)
        }
    }

    /// The committed offsets of a group. Partitions without a committed offset are omitted.
    public func committed(
        by group: String, in partitions: [KafkaPartition]
    ) async throws(KafkaError) -> [KafkaPartition: Int64] {
        try await run(RD_KAFKA_CONSUMER, group: group) { client throws(KafkaError) in
            let list = PartitionList(partitions)
            try check(list.lend { rd_kafka_committed(client.pointer, $0, limit) })
            var committed: [KafkaPartition: Int64] = [:]
            for element in list.elements {
                try check(element.error)
                if element.offset >= 0 { committed[element.partition] = element.offset }
            }
            return committed
        }
    }

    /// The number of members of a group. 0 for an unknown group.
    public func members(of group: String) async throws(KafkaError) -> Int {
        try await run(RD_KAFKA_CONSUMER, group: nil) { client throws(KafkaError) in
            var list: UnsafePointer<rd_kafka_group_list>?
            try check(rd_kafka_list_groups(client.pointer, group, &list, limit))
            guard let list else { throw KafkaError(RD_KAFKA_RESP_ERR__BAD_MSG) }
            defer { rd_kafka_group_list_destroy(list) }
            var members = 0
            for found in UnsafeBufferPointer(start: list.pointee.groups, count: Int(list.pointee.group_cnt)) {
                try check(found.err)
                members += Int(found.member_cnt)
            }
            return members
        }
    }

    // MARK: On the admin thread

    private func createTopic(
        _ name: String, _ partitions: Int, _ replication: Int, _ client: ClientHandle
    ) throws(KafkaError) -> Bool {
        var errorText = [CChar](repeating: 0, count: 512)
        guard
            let topic = rd_kafka_NewTopic_new(
                name, Int32(clamping: partitions), Int32(clamping: replication), &errorText, errorText.count)
        else { throw KafkaError(RD_KAFKA_RESP_ERR__INVALID_ARG, String(nullTerminated: errorText)) }
        defer { rd_kafka_NewTopic_destroy(topic) }
        let options = rd_kafka_AdminOptions_new(client.pointer, RD_KAFKA_ADMIN_OP_CREATETOPICS)
        defer { rd_kafka_AdminOptions_destroy(options) }
        rd_kafka_AdminOptions_set_request_timeout(options, limit, &errorText, errorText.count)
        // Wait until all brokers know the topic, so that sending the first message does not fail.
        rd_kafka_AdminOptions_set_operation_timeout(options, limit, &errorText, errorText.count)
        let queue = rd_kafka_queue_new(client.pointer)
        defer { rd_kafka_queue_destroy(queue) }
        var topics: [OpaquePointer?] = [topic]
        rd_kafka_CreateTopics(client.pointer, &topics, 1, options, queue)
        guard let event = rd_kafka_queue_poll(queue, limit + 60_000) else {
            throw KafkaError(RD_KAFKA_RESP_ERR__TIMED_OUT)
        }
        defer { rd_kafka_event_destroy(event) }
        try check(rd_kafka_event_error(event), rd_kafka_event_error_string(event))
        var count = 0
        guard let results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count),
            count == 1
        else { throw KafkaError(RD_KAFKA_RESP_ERR__BAD_MSG) }
        let code = rd_kafka_topic_result_error(results[0])
        if code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS { return false }
        try check(code, rd_kafka_topic_result_error_string(results[0]))
        return true
    }

    private func topics(_ client: ClientHandle) throws(KafkaError) -> [KafkaTopic] { try cluster(client).topics }

    private func cluster(_ client: ClientHandle) throws(KafkaError) -> (brokers: Int, topics: [KafkaTopic]) {
        var metadata: UnsafePointer<rd_kafka_metadata_t>?
        try check(rd_kafka_metadata(client.pointer, 1, nil, &metadata, limit))
        guard let metadata else { throw KafkaError(RD_KAFKA_RESP_ERR__BAD_MSG) }
        defer { rd_kafka_metadata_destroy(metadata) }
        let topics = UnsafeBufferPointer(start: metadata.pointee.topics, count: Int(metadata.pointee.topic_cnt))
        let known = topics.compactMap { (topic) -> KafkaTopic? in
            let name = String(cString: topic.topic)
            guard topic.err == RD_KAFKA_RESP_ERR_NO_ERROR, !name.hasPrefix("__") else { return nil }
            let partitions = UnsafeBufferPointer(start: topic.partitions, count: Int(topic.partition_cnt))
            return KafkaTopic(
                name: name, partitions: partitions.count,
                replication: partitions.map { Int($0.replica_cnt) }.min() ?? 0)
        }
        return (Int(metadata.pointee.broker_cnt), known.sorted { $0.name < $1.name })
    }

    private func offsetRange(
        _ partition: KafkaPartition, _ client: ClientHandle
    ) throws(KafkaError) -> Range<Int64> {
        var (low, high): (Int64, Int64) = (0, 0)
        try check(
            rd_kafka_query_watermark_offsets(client.pointer, partition.topic, partition.number, &low, &high, limit))
        return low..<max(low, high)
    }

    private func progress(
        _ partitions: [KafkaPartition], _ client: ClientHandle
    ) throws(KafkaError) -> [KafkaGroupProgress] {
        let list = PartitionList(partitions)
        try check(list.lend { rd_kafka_committed(client.pointer, $0, limit) })
        var progress: [KafkaGroupProgress] = []
        for element in list.elements {
            try check(element.error)
            let range = try offsetRange(element.partition, client)
            progress.append(
                KafkaGroupProgress(
                    partition: element.partition, committed: element.offset >= 0 ? element.offset : nil,
                    oldest: range.lowerBound, end: range.upperBound))
        }
        return progress
    }

    private func check(
        _ code: rd_kafka_resp_err_t, _ errorText: UnsafePointer<CChar>? = nil
    ) throws(KafkaError) {
        guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
        throw KafkaError(code, errorText.map { configuration.scrubbing(String(cString: $0)) })
    }

    /// Runs `body` with a new client on a dedicated thread. A cancelled task stops waiting at once.
    private func run<R: Sendable>(
        _ type: rd_kafka_type_t, group: String?,
        _ body: @escaping @Sendable (ClientHandle) throws(KafkaError) -> R
    ) async throws(KafkaError) -> R {
        let promise = Promise<Result<R, KafkaError>>()
        let reason = ConnectionErrors()
        let thread = Thread {
            promise.resolve(
                Result { () throws(KafkaError) -> R in
                    let client = try ClientHandle(
                        type, configuration, defaults: [("socket.nagle.disable", "true")],
                        fixed: group.map { [("group.id", $0)] } ?? [],
                        events: ClientEvents(configuration: configuration, log: nil, onError: reason.note))
                    defer { client.destroy() }
                    do throws(KafkaError) {
                        return try body(client)
                    } catch {
                        // Poll once: librdkafka reports connection errors only then, and `body` does not poll.
                        rd_kafka_poll(client.pointer, 0)
                        throw reason.explain(error)
                    }
                })
        }
        thread.name = "kafka-admin"
        thread.start()
        let result = await withTaskCancellationHandler {
            await promise.value()
        } onCancel: {
            promise.resolve(.failure(.cancelled))
        }
        return try result.get()
    }
}

/// The last connection error, which explains a failed request. librdkafka reports it separately; the request itself
/// only times out.
private final class ConnectionErrors: Sendable {
    private let last = Mutex<KafkaError?>(nil)

    func note(_ error: KafkaError) {
        let isReason = [.unreachable, .tls, .credentials].contains(error.category)
        if isReason, error.code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN.rawValue { last.withLock { $0 = error } }
    }

    func explain(_ error: KafkaError) -> KafkaError {
        guard error.category == .unreachable || error.category == .timeout else { return error }
        return last.withLock(\.self) ?? error
    }
}

/// A topic of the cluster.
public struct KafkaTopic: Sendable, Hashable {
    /// Name of the topic.
    public var name: String
    /// Number of partitions.
    public var partitions: Int
    /// The replica count of the partition with the fewest replicas.
    public var replication: Int
}

/// A snapshot of a cluster.
public struct KafkaClusterState: Sendable, Hashable {
    /// Number of brokers.
    public var brokers: Int
    /// Topics of the cluster.
    public var topics: [KafkaTopic]
    /// For each partition, from the oldest offset to the next offset to be written.
    public var offsets: [KafkaPartition: Range<Int64>]
}

/// The progress of a group in one partition.
public struct KafkaGroupProgress: Sendable, Hashable {
    /// The partition.
    public var partition: KafkaPartition
    /// The committed offset, or nil if the group has never committed.
    public var committed: Int64?
    /// The oldest available offset.
    public var oldest: Int64
    /// The next offset to be written.
    public var end: Int64

    /// The number of messages that the group has not finished.
    public var lag: Int64 { max(0, end - max(oldest, committed ?? oldest)) }
}
