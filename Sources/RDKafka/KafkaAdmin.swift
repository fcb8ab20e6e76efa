internal import CRDKafka
internal import Foundation
internal import Synchronization

/// Administers and inspects a cluster. Each call creates a client, which is slow, so do not call it for each message.
///
/// A call ends within its limit plus a few seconds even if librdkafka hangs. The thread of such a call stays behind until
/// librdkafka returns; until then, further calls fail at once.
public struct KafkaAdmin: Sendable {
    private let configuration: KafkaConfiguration
    private let limit: Duration
    /// How much later than `limit` librdkafka may return: it looks for expired requests only once a second.
    private let grace: Duration
    private let calls: CallsInProgress

    /// - Parameter limit: The timeout of each call.
    public init(_ configuration: KafkaConfiguration, limit: Duration = .seconds(10)) {
        self.init(configuration, limit: limit, grace: .seconds(5))
    }

    init(
        _ configuration: KafkaConfiguration, limit: Duration, grace: Duration,
        calls: CallsInProgress = CallsInProgress()
    ) {
        self.configuration = configuration
        self.limit = limit
        self.grace = grace
        self.calls = calls
    }

    /// The same with another limit. If a call of one of both hangs, neither begins another.
    public func limited(to limit: Duration) -> KafkaAdmin {
        KafkaAdmin(configuration, limit: limit, grace: grace, calls: calls)
    }

    /// Creates a topic unless it exists.
    /// - Parameter replication: Replicas of each partition, or nil for the cluster's default.
    /// - Returns: Whether the topic was created.
    @discardableResult
    public func createTopic(
        _ name: String, partitions: Int, replication: Int? = nil
    ) async throws(KafkaError) -> Bool {
        try await run(RD_KAFKA_PRODUCER, group: nil) { session throws(KafkaError) in
            try createTopic(name, partitions, replication ?? -1, session)
        }
    }

    /// All topics except internal ones (`__…`) and those with an error, by name.
    public func topics() async throws(KafkaError) -> [KafkaTopic] {
        try await run(RD_KAFKA_PRODUCER, group: nil) { session throws(KafkaError) in try cluster(session).topics }
    }

    /// The progress of a group in each partition of the given topics, ordered by partition.
    /// - Throws: An error of category `unknownTopic` if a topic does not exist.
    public func progress(of group: String, topics names: [String]) async throws(KafkaError) -> [KafkaGroupProgress] {
        try await run(RD_KAFKA_CONSUMER, group: group) { session throws(KafkaError) in
            let counts = Dictionary(
                uniqueKeysWithValues: try cluster(session).topics.map { ($0.name, $0.partitions) })
            var partitions: [KafkaPartition] = []
            for name in names {
                guard let count = counts[name] else {
                    throw KafkaError(
                        RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, "the topic \"\(name)\" does not exist")
                }
                partitions += (0..<count).map { KafkaPartition(topic: name, number: Int32($0)) }
            }
            partitions.sort()
            let committed = try committed(in: partitions, session)
            let ranges = try offsetRanges(partitions, session)
            return partitions.compactMap { partition in
                ranges[partition].map { range in
                    KafkaGroupProgress(
                        partition: partition, committed: committed[partition], oldest: range.lowerBound,
                        end: range.upperBound)
                }
            }
        }
    }

    // MARK: Inspection

    /// The brokers, the topics, and the offset ranges of the given topics.
    /// - Parameter names: Topics to inspect. Missing topics are skipped.
    public func inspect(topics names: [String]) async throws(KafkaError) -> KafkaClusterState {
        try await run(RD_KAFKA_PRODUCER, group: nil) { session throws(KafkaError) in
            let (brokers, all) = try cluster(session)
            let topics = all.filter { names.contains($0.name) }
            let partitions = topics.flatMap { topic in
                (0..<Int32(topic.partitions)).map { KafkaPartition(topic: topic.name, number: $0) }
            }
            return KafkaClusterState(
                brokers: brokers, topics: topics, offsets: try offsetRanges(partitions, session))
        }
    }

    /// The committed offsets of a group. Partitions without a committed offset are omitted.
    public func committed(
        by group: String, in partitions: [KafkaPartition]
    ) async throws(KafkaError) -> [KafkaPartition: Int64] {
        try await run(RD_KAFKA_CONSUMER, group: group) { session throws(KafkaError) in
            try committed(in: partitions, session)
        }
    }

    /// The number of members of a group. 0 for an unknown group.
    public func members(of group: String) async throws(KafkaError) -> Int {
        try await run(RD_KAFKA_CONSUMER, group: nil) { session throws(KafkaError) in
            var list: UnsafePointer<rd_kafka_group_list>?
            try check(rd_kafka_list_groups(session.client, group, &list, session.milliseconds))
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
        _ name: String, _ partitions: Int, _ replication: Int, _ session: Session
    ) throws(KafkaError) -> Bool {
        let (client, limit) = (session.client, session.milliseconds)
        var errorText = [CChar](repeating: 0, count: 512)
        guard
            let topic = rd_kafka_NewTopic_new(
                name, Int32(clamping: partitions), Int32(clamping: replication), &errorText, errorText.count)
        else { throw KafkaError(RD_KAFKA_RESP_ERR__INVALID_ARG, String(nullTerminated: errorText)) }
        defer { rd_kafka_NewTopic_destroy(topic) }
        let options = rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_CREATETOPICS)
        defer { rd_kafka_AdminOptions_destroy(options) }
        rd_kafka_AdminOptions_set_request_timeout(options, limit, &errorText, errorText.count)
        // Wait until all brokers know the topic, so that sending the first message does not fail.
        rd_kafka_AdminOptions_set_operation_timeout(options, limit, &errorText, errorText.count)
        let queue = rd_kafka_queue_new(client)
        defer { rd_kafka_queue_destroy(queue) }
        var topics: [OpaquePointer?] = [topic]
        rd_kafka_CreateTopics(client, &topics, 1, options, queue)
        // librdkafka itself ends the request, a little late.
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

    private func cluster(_ session: Session) throws(KafkaError) -> (brokers: Int, topics: [KafkaTopic]) {
        var metadata: UnsafePointer<rd_kafka_metadata_t>?
        try check(rd_kafka_metadata(session.client, 1, nil, &metadata, session.milliseconds))
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

    /// The available offsets of each partition, with two requests to each broker.
    private func offsetRanges(
        _ partitions: [KafkaPartition], _ session: Session
    ) throws(KafkaError) -> [KafkaPartition: Range<Int64>] {
        let oldest = try offsets(Int64(RD_KAFKA_OFFSET_BEGINNING), partitions, session)
        let end = try offsets(Int64(RD_KAFKA_OFFSET_END), partitions, session)
        var ranges: [KafkaPartition: Range<Int64>] = [:]
        for partition in partitions {
            guard let low = oldest[partition], let high = end[partition] else {
                throw KafkaError(RD_KAFKA_RESP_ERR__BAD_MSG, "the brokers sent no offset of \(partition)")
            }
            ranges[partition] = low..<max(low, high)
        }
        return ranges
    }

    /// The first or the last offset of each partition.
    ///
    /// Not by `rd_kafka_query_watermark_offsets`, which ignores its timeout before librdkafka 2.3 while the leader of the
    /// partition is unavailable (https://github.com/confluentinc/librdkafka/pull/4460). In ListOffsets requests, these
    /// two values are valid in place of a timestamp.
    private func offsets(
        _ place: Int64, _ partitions: [KafkaPartition], _ session: Session
    ) throws(KafkaError) -> [KafkaPartition: Int64] {
        // librdkafka rejects an empty list.
        guard !partitions.isEmpty else { return [:] }
        let list = PartitionList()
        for partition in partitions { list.add(partition, offset: place) }
        try check(list.lend { rd_kafka_offsets_for_times(session.client, $0, session.milliseconds) })
        return try known(list)
    }

    private func committed(
        in partitions: [KafkaPartition], _ session: Session
    ) throws(KafkaError) -> [KafkaPartition: Int64] {
        let list = PartitionList(partitions)
        try check(list.lend { rd_kafka_committed(session.client, $0, session.milliseconds) })
        return try known(list)
    }

    /// The offsets of a list. Negative ones stand for no offset.
    private func known(_ list: PartitionList) throws(KafkaError) -> [KafkaPartition: Int64] {
        var offsets: [KafkaPartition: Int64] = [:]
        for element in list.elements {
            try check(element.error)
            if element.offset >= 0 { offsets[element.partition] = element.offset }
        }
        return offsets
    }

    private func check(
        _ code: rd_kafka_resp_err_t, _ errorText: UnsafePointer<CChar>? = nil
    ) throws(KafkaError) {
        guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
        throw KafkaError(code, errorText.map { configuration.scrubbing(String(cString: $0)) })
    }

    /// A client, and the time by which the call that uses it must end.
    struct Session {
        let client: OpaquePointer
        let end: ContinuousClock.Instant

        /// The time that is left.
        var milliseconds: Int32 { Int32(max(1, min(3_600_000, (end - .now) / .milliseconds(1)))) }
    }

    /// Runs `body` with a new client on a dedicated thread. A cancelled task stops waiting at once.
    func run<R: Sendable>(
        _ type: rd_kafka_type_t, group: String?,
        _ body: @escaping @Sendable (Session) throws(KafkaError) -> R
    ) async throws(KafkaError) -> R {
        let end = ContinuousClock.now + limit
        guard let call = calls.begin(deadline: end + grace) else {
            throw KafkaError(RD_KAFKA_RESP_ERR__TIMED_OUT, "an earlier request to the brokers still hangs")
        }
        let promise = Promise<Result<R, KafkaError>>()
        let reason = ConnectionErrors()
        let thread = Thread {
            defer { calls.end(call) }
            let client: ClientHandle
            do throws(KafkaError) {
                client = try ClientHandle(
                    type, configuration, defaults: [("socket.nagle.disable", "true")],
                    fixed: group.map { [("group.id", $0)] } ?? [],
                    events: ClientEvents(configuration: configuration, log: nil, onError: reason.note))
            } catch {
                return promise.resolve(.failure(error))
            }
            do throws(KafkaError) {
                promise.resolve(.success(try body(Session(client: client.pointer, end: end))))
            } catch {
                // Poll once: librdkafka reports connection errors only then, and `body` does not poll.
                rd_kafka_poll(client.pointer, 0)
                promise.resolve(.failure(reason.explain(error)))
            }
            // After the result, because it may block.
            client.destroy()
        }
        thread.name = "kafka-admin"
        thread.start()
        let timer = Task {
            try? await Task.sleep(for: limit + grace)
            guard !Task.isCancelled else { return }
            promise.resolve(.failure(KafkaError(RD_KAFKA_RESP_ERR__TIMED_OUT, "the brokers did not answer in time")))
        }
        defer { timer.cancel() }
        let result = await withTaskCancellationHandler {
            await promise.value()
        } onCancel: {
            promise.resolve(.failure(.cancelled))
        }
        return try result.get()
    }
}

/// The connection error that best explains a failed request. librdkafka reports it separately; the request itself only
/// times out.
final class ConnectionErrors: Sendable {
    private let best = Mutex<KafkaError?>(nil)

    /// Of several brokers, one that answers and refuses says more than one that cannot be reached.
    private static let ranking = [KafkaError.Category.unreachable, .wrongProtocol, .tls, .credentials]

    func note(_ error: KafkaError) {
        guard let rank = Self.ranking.firstIndex(of: error.category),
            error.code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN.rawValue
        else { return }
        best.withLock { best in
            let last = best.flatMap { Self.ranking.firstIndex(of: $0.category) } ?? 0
            if rank >= last { best = error }
        }
    }

    func explain(_ error: KafkaError) -> KafkaError {
        guard error.category == .unreachable || error.category == .timeout else { return error }
        return best.withLock(\.self) ?? error
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
