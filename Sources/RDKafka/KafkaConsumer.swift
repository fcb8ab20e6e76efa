internal import CRDKafka
internal import Foundation
internal import Synchronization

/// A member of a consumer group. It delivers messages one at a time. Each message must be finished with `done` or
/// `release`; there is no time limit.
///
/// One thread owns the librdkafka client and polls it at least once a second. A message may therefore take hours, and
/// the group does not revoke its partition. Other threads queue work for this thread (store an offset, pause or resume
/// a partition) and wake it. Offsets are committed once a second, before partitions are revoked, and before the
/// consumer leaves the group. A message that was not done is delivered again, here or elsewhere, after a crash, a
/// rebalance or a release. Callers must therefore tolerate duplicates.
///
/// The thread keeps polling even if the work on a message hangs, so the group does not notice. Use a lease to detect
/// that.
public final class KafkaConsumer: Sendable {
    private let loop: ConsumerLoop

    /// - Parameters:
    ///   - configuration: `session.timeout.ms` is the time until the group notices a crash; see `defaults`.
    ///   - maxInFlight: The maximum number of unfinished messages. Each partition has at most one.
    ///   - log: Receives librdkafka's log lines.
    /// - Throws: An error of category `configuration`. Connection errors appear in `status`, missing topics in `next`.
    public init(
        _ configuration: KafkaConfiguration, group: String, topics: [String], maxInFlight: Int = 1,
        log: KafkaLogHandler? = nil
    ) throws(KafkaError) {
        loop = ConsumerLoop(configuration, maxInFlight: maxInFlight)
        try loop.start(group: group, topics: topics, log: log)
    }

    deinit { loop.close() }

    /// Waits for a message.
    ///
    /// - Returns: A message that must be finished with `done` or `release`, or nil after `stop` or `close`.
    /// - Throws: An error to report, such as a missing topic or rejected credentials. Unless it `isFatal`, the caller
    ///   may call again. An unavailable broker is no error here; see `status`. If the task is cancelled, `cancelled` is
    ///   thrown at once.
    public func next() async throws(KafkaError) -> KafkaMessage? { try await loop.next() }

    /// Marks the message as done, so that its offset will be committed.
    /// - Returns: False if the partition has been revoked since the delivery. Then no offset is stored, and the message
    ///   is delivered again, perhaps to another consumer.
    @discardableResult
    public func done(_ message: KafkaMessage) -> Bool { loop.done(message) }

    /// Gives the message back to be delivered again, here or elsewhere, before later messages of the partition.
    public func release(_ message: KafkaMessage) { loop.perform { $0.release(message) } }

    /// Whether the partition has stayed assigned since the message was delivered.
    public func isCurrent(_ message: KafkaMessage) -> Bool { loop.isCurrent(message) }

    /// Ends all `next` calls, but stays in the group so that unfinished messages can still be finished.
    public func stop() { loop.perform { $0.stop() } }

    /// Stops, commits the offsets of messages that are done, and leaves the group. Unfinished messages are delivered
    /// again elsewhere.
    ///
    /// librdkafka 2.0.2 can hang while it leaves the group, and brokers may be unavailable, so this call returns after
    /// `limit` in any case. The thread then keeps running until librdkafka returns or the process exits, and the group
    /// removes the member after the session timeout. Offsets are committed before the consumer leaves.
    /// - Returns: Whether the consumer left the group in time.
    @discardableResult
    public func close(limit: Duration = .seconds(10)) async -> Bool {
        loop.close(limit: limit)
        return await loop.ended.wait(limit)
    }

    /// The properties that a configuration may override.
    static let defaults = [
        // The rebalance after a crash waits until the session of the dead member has expired, and meanwhile the group
        // receives nothing. librdkafka's 45 s spare large groups needless rebalances; here a rebalance costs a second,
        // because work does not depend on the membership. 8 s leave 4 for the rest of a takeover within 12 s, and are
        // above the minimum that brokers accept by default (group.min.session.timeout.ms, 6 s). After an outage, too, the
        // former memberships have to expire.
        ("session.timeout.ms", "8000"),
        // Four in a session, so that single losses do no harm. A member learns of a rebalance by its next heartbeat.
        ("heartbeat.interval.ms", "2000"),
        // Not static membership (group.instance.id), although it would skip that wait: a member that ends would not
        // leave the group, and two processes with one id would fence each other.
        // A topic that is created later, or becomes visible to this user, is found after this time.
        ("topic.metadata.refresh.interval.ms", "30000"),
        ("statistics.interval.ms", "5000"),
        // While a broker waits for messages of an idle partition, it serves no other fetch of this client.
        ("fetch.wait.max.ms", "100"),
        ("socket.nagle.disable", "true"),
        ("reconnect.backoff.max.ms", "2000"),
        // Prefetch little. With a lower message count, librdkafka 2.0.2 pauses fetching for up to a second whenever one
        // message is queued.
        ("queued.min.messages", "1000"),
        ("queued.max.messages.kbytes", "1024"),
        ("fetch.message.max.bytes", "262144"),
        ("auto.commit.interval.ms", "1000"),
    ]

    /// The state of the broker connections and of the group.
    public var status: KafkaConsumerStatus { loop.status }
}

/// A snapshot of a consumer's state.
public struct KafkaConsumerStatus: Sendable, Hashable {
    /// The state of the broker connections.
    public var client: KafkaClientStatus
    /// The partitions that are assigned to this consumer.
    public var assigned: [KafkaPartition]
    /// The number of messages that were delivered and are neither done nor released.
    public var unfinished: Int
    /// Seconds since the last poll: normally at most 1, or up to 30 while the thread waits for the group's coordinator
    /// after an assignment. A larger value means that the thread hangs or that the machine was suspended.
    public var secondsSincePoll: Double
}

/// A consumer's thread and the state that it shares with callers.
private final class ConsumerLoop: Sendable {
    private typealias Taker = CheckedContinuation<Result<KafkaMessage?, KafkaError>, Never>

    private struct State {
        var machine: ConsumerMachine
        var takers: [ConsumerMachine.TakerID: Taker] = [:]
        var nextTaker = 0
        /// Actions queued for the thread, in order.
        var work: [ConsumerMachine.Action] = []
        var isClosing = false
        var closeLimit = Duration.seconds(10)
        var status = KafkaClientStatus()
        /// The committed offsets of the assigned partitions at the time of assignment.
        var startOffsets: [KafkaPartition: Int64] = [:]
        var lastPoll = ContinuousClock.now
        /// The librdkafka queue that the thread blocks on.
        var queue: PollQueue?
    }

    private let state: Mutex<State>
    private let configuration: KafkaConfiguration
    let ended = Signal()

    init(_ configuration: KafkaConfiguration, maxInFlight: Int) {
        self.configuration = configuration
        state = Mutex(State(machine: ConsumerMachine(limits: .init(inFlight: max(1, maxInFlight)))))
    }

    // MARK: For callers

    func next() async throws(KafkaError) -> KafkaMessage? {
        let number = state.withLock { state in
            state.nextTaker += 1
            return state.nextTaker
        }
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { (taker: Taker) in
                state.withLock { $0.takers[number] = taker }
                perform { $0.take(number) }
                // If the task was cancelled before this point, `onCancel` found no taker.
                if Task.isCancelled { perform { $0.cancel(number) } }
            }
        } onCancel: {
            perform { $0.cancel(number) }
        }
        return try result.get()
    }

    func done(_ message: KafkaMessage) -> Bool {
        var isCurrent = false
        perform { machine in
            let outcome = machine.done(message)
            isCurrent = outcome.isCurrent
            return outcome.actions
        }
        return isCurrent
    }

    func isCurrent(_ message: KafkaMessage) -> Bool { state.withLock { $0.machine.isCurrent(message) } }

    var status: KafkaConsumerStatus {
        state.withLock { state in
            KafkaConsumerStatus(
                client: state.status, assigned: state.machine.assigned, unfinished: state.machine.unfinishedCount,
                secondsSincePoll: (.now - state.lastPoll) / .seconds(1))
        }
    }

    func close(limit: Duration = .seconds(10)) {
        perform { $0.stop() }
        state.withLock { state in
            state.closeLimit = limit
            state.isClosing = true
            if let queue = state.queue { queue.wake() }
        }
    }

    /// Reports an event to the state machine, resumes takers, and queues the remaining actions for the thread.
    func perform(_ decide: (inout ConsumerMachine) -> [ConsumerMachine.Action]) {
        let answers = state.withLock { state -> [(Taker, Result<KafkaMessage?, KafkaError>)] in
            var answers: [(Taker, Result<KafkaMessage?, KafkaError>)] = []
            let before = state.work.count
            for action in decide(&state.machine) {
                switch action {
                case .deliver(let message, let number):
                    if let taker = state.takers.removeValue(forKey: number) {
                        answers.append((taker, .success(message)))
                    }
                case .fail(let number, let error):
                    if let taker = state.takers.removeValue(forKey: number) { answers.append((taker, .failure(error))) }
                case .pause, .resume, .store: state.work.append(action)
                }
            }
            if state.work.count > before, let queue = state.queue { queue.wake() }
            return answers
        }
        for (taker, answer) in answers { taker.resume(returning: answer) }
    }

    // MARK: The thread

    func start(group: String, topics: [String], log: KafkaLogHandler?) throws(KafkaError) {
        let events = ClientEvents(
            configuration: configuration, log: log,
            // The client retains these closures, and thereby this loop, until the thread destroys it.
            onError: { self.failed($0) },
            onStatistics: { self.note($0) },
            onRebalance: { self.rebalance($0, $1, $2) })
        let client = try ClientHandle(
            RD_KAFKA_CONSUMER, configuration,
            defaults: KafkaConsumer.defaults,
            fixed: [
                ("group.id", group),
                ("enable.auto.commit", "true"), ("enable.auto.offset.store", "false"),
                ("auto.offset.reset", "earliest"),
                // Eager: cooperative-sticky loses assignments and hangs before librdkafka 2.10.
                ("partition.assignment.strategy", "range,roundrobin"),
            ], events: events)
        rd_kafka_poll_set_consumer(client.pointer)
        let list = PartitionList(topics.map { KafkaPartition(topic: $0, number: RD_KAFKA_PARTITION_UA) })
        let code = list.lend { rd_kafka_subscribe(client.pointer, $0) }
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            client.destroy()
            throw KafkaError(code)
        }
        let queue = PollQueue(rd_kafka_queue_get_consumer(client.pointer))
        state.withLock { $0.queue = queue }
        let thread = Thread { self.run(client) }
        thread.name = "kafka-consumer"
        thread.start()
    }

    private func run(_ client: ClientHandle) {
        while true {
            serve(client.pointer)
            if state.withLock({ $0.isClosing }) { break }
            // Returns early for a message, an event, or queued work.
            let message = rd_kafka_consumer_poll(client.pointer, 1000)
            state.withLock { $0.lastPoll = .now }
            if let message {
                received(message, client)
                rd_kafka_message_destroy(message)
            }
        }
        end(client)
    }

    private func end(_ client: ClientHandle) {
        if client.fatalError == nil {
            // Commit explicitly, because librdkafka may crash or hang while it leaves the group.
            let limit = state.withLock { $0.closeLimit / 2 }
            if let replies = rd_kafka_queue_new(client.pointer) {
                rd_kafka_commit_queue(client.pointer, nil, replies, { _, _, _, _ in }, nil)
                rd_kafka_queue_poll_callback(replies, Int32(min(60_000, max(0, limit / .milliseconds(1)))))
                rd_kafka_queue_destroy(replies)
            }
            rd_kafka_consumer_close(client.pointer)
        }
        let queue = state.withLock { $0.queue.take() }
        queue?.destroy()
        client.destroy()
        ended.set()
    }

    /// Performs the queued actions.
    private func serve(_ client: OpaquePointer) {
        let work = state.withLock { state in
            defer { state.work = [] }
            return state.work
        }
        serve(work, client)
    }

    private func serve(_ work: [ConsumerMachine.Action], _ client: OpaquePointer) {
        for action in work {
            switch action {
            case .pause(let partition): PartitionList([partition]).lend { rd_kafka_pause_partitions(client, $0) }
            case .resume(let partition): PartitionList([partition]).lend { rd_kafka_resume_partitions(client, $0) }
            case .store(let partition, let offset):
                let list = PartitionList()
                list.add(partition, offset: offset)
                let code = list.lend { rd_kafka_offsets_store(client, $0) }
                // An error means that the partition has been revoked. The message is then delivered again.
                if code != RD_KAFKA_RESP_ERR_NO_ERROR { state.withLock { $0.status.note(KafkaError(code)) } }
            case .deliver, .fail: break
            }
        }
    }

    private func received(_ message: UnsafeMutablePointer<rd_kafka_message_t>, _ client: ClientHandle) {
        switch message.pointee.err {
        case RD_KAFKA_RESP_ERR_NO_ERROR:
            let message = KafkaMessage(message)
            state.withLock { $0.status.noteContact() }
            perform { $0.received(message) }
        case RD_KAFKA_RESP_ERR__PARTITION_EOF: break
        case let code:
            let text = rd_kafka_message_errstr(message).map { configuration.scrubbing(String(cString: $0)) }
            // librdkafka reports a fatal error with a generic code, so ask for the cause.
            failed(client.fatalError ?? KafkaError(code, text))
        }
    }

    private func note(_ statistics: KafkaStatistics) {
        var statistics = statistics
        state.withLock { state in
            // librdkafka does not report offsets that this class looked up itself, so add them.
            for index in statistics.partitions.indices where statistics.partitions[index].committedOffset == nil {
                statistics.partitions[index].committedOffset =
                    state.startOffsets[statistics.partitions[index].partition]
            }
            state.status.note(statistics)
        }
    }

    private func failed(_ error: KafkaError) {
        state.withLock { $0.status.note(error) }
        switch error.category {
        // librdkafka retries these itself.
        case .unreachable, .tls, .wrongProtocol, .timeout, .unavailable: if error.isFatal { fallthrough }
        default: perform { $0.fail(error) }
        }
    }

    /// Called by librdkafka on the thread, during a poll or a close.
    private func rebalance(
        _ client: OpaquePointer, _ code: rd_kafka_resp_err_t,
        _ partitions: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?
    ) {
        guard code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, let partitions else {
            // Store the offsets of done messages before the partitions are revoked; librdkafka then commits them.
            let work = state.withLock { state in
                state.machine.revokeAll()
                defer { state.work = [] }
                return state.work
            }
            serve(work, client)
            rd_kafka_assign(client, nil)
            return
        }
        let startOffsets = lookUpOffsets(partitions, client)
        // librdkafka keeps a paused partition paused across assignments.
        rd_kafka_resume_partitions(client, partitions)
        rd_kafka_assign(client, partitions)
        let assigned = PartitionList.elements(partitions).map(\.partition)
        state.withLock { state in
            state.startOffsets = startOffsets
            state.status.noteContact()
        }
        perform { $0.assign(assigned) }
    }

    /// Writes the committed offset of each partition into the list, or the beginning if there is none. Retries for up
    /// to 30 seconds.
    ///
    /// librdkafka would look the offsets up itself, but 2.0.2 does so only once: after an error such as
    /// NOT_COORDINATOR, it never fetches the partition.
    /// - Returns: The committed offsets.
    private func lookUpOffsets(
        _ partitions: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>, _ client: OpaquePointer
    ) -> [KafkaPartition: Int64] {
        let deadline = ContinuousClock.now + .seconds(30)
        var startOffsets: [KafkaPartition: Int64] = [:]
        while !state.withLock({ $0.isClosing }), .now < deadline,
            rd_kafka_fatal_error(client, nil, 0) == RD_KAFKA_RESP_ERR_NO_ERROR
        {
            let code = rd_kafka_committed(client, partitions, 5000)
            let elements = PartitionList.elements(partitions)
            let errors = [code] + elements.map(\.error)
            guard let error = errors.first(where: { $0 != RD_KAFKA_RESP_ERR_NO_ERROR }) else {
                for (index, element) in elements.enumerated() {
                    if element.offset >= 0 {
                        startOffsets[element.partition] = element.offset
                    } else {
                        partitions.pointee.elems[index].offset = Int64(RD_KAFKA_OFFSET_BEGINNING)
                    }
                }
                return startOffsets
            }
            state.withLock { $0.status.note(KafkaError(error)) }
            // Meanwhile, librdkafka sends heartbeats and looks for the coordinator on its own threads.
            Thread.sleep(forTimeInterval: 0.1)
        }
        for index in 0..<Int(partitions.pointee.cnt) {
            partitions.pointee.elems[index].offset = Int64(RD_KAFKA_OFFSET_INVALID)
        }
        return [:]
    }
}

extension KafkaMessage {
    /// Copies librdkafka's message.
    fileprivate init(_ pointer: UnsafeMutablePointer<rd_kafka_message_t>) {
        let message = pointer.pointee
        self.init(
            partition: KafkaPartition(
                topic: String(cString: rd_kafka_topic_name(message.rkt)), number: message.partition),
            offset: message.offset, generation: 0, key: Self.bytes(message.key, message.key_len),
            payload: Self.bytes(message.payload, message.len), headers: Self.headers(pointer),
            timestamp: Self.timestamp(pointer))
    }

    private static func bytes(_ start: UnsafeRawPointer?, _ count: Int) -> [UInt8]? {
        start.map { Array(UnsafeRawBufferPointer(start: $0, count: count)) }
    }

    private static func timestamp(_ pointer: UnsafePointer<rd_kafka_message_t>) -> Int64? {
        let milliseconds = rd_kafka_message_timestamp(pointer, nil)
        return milliseconds < 0 ? nil : milliseconds
    }

    private static func headers(_ pointer: UnsafePointer<rd_kafka_message_t>) -> [KafkaHeader] {
        var list: OpaquePointer?
        guard rd_kafka_message_headers(pointer, &list) == RD_KAFKA_RESP_ERR_NO_ERROR else { return [] }
        return (0..<rd_kafka_header_cnt(list)).compactMap { index in
            var name: UnsafePointer<CChar>?
            var value: UnsafeRawPointer?
            var size = 0
            let code = rd_kafka_header_get_all(list, index, &name, &value, &size)
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let name else { return nil }
            return KafkaHeader(String(cString: name), bytes(value, size))
        }
    }
}
