internal import CRDKafka
internal import Foundation
internal import Synchronization

/// A member of a consumer group that gets messages one at a time, each to be done or released, however long that takes.
///
/// One thread owns the client of the library and polls it at least once a second for as long as the consumer lives, so a
/// message may be worked on for hours without the group taking its partition away. What a message's end brings about
/// (storing its offset, resuming its partition) is left for that thread, which is woken for it. Offsets are committed once
/// a second, before partitions are given up, and before the consumer leaves. A message that was not done comes again, here
/// or elsewhere: after a crash, a rebalance, a release. Whoever takes messages must be ready for a second copy.
///
/// The thread polls on even where the work hangs: notice that by a lease of your own, not by the group.
public final class KafkaConsumer: Sendable {
    private let loop: ConsumerLoop

    /// - Parameters:
    ///   - configuration: `session.timeout.ms` (45 000) is how long a crash goes unnoticed.
    ///   - maxInFlight: how many messages may be undone at a time, at most one of each partition.
    ///   - log: takes librdkafka's own log.
    /// - Throws: of category `configuration`. Whether brokers answer shows in `status`, and whether topics exist in `next`.
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
    /// - Returns: a message, for which `done` or `release` must be called; nil after `stop` and `close`.
    /// - Throws: what the caller may want to know, such as a topic that does not exist or credentials that are refused;
    ///   call again unless `isFatal`. A broker that is away throws nothing: see `status`. A cancelled task gets `cancelled`
    ///   at once.
    public func next() async throws(KafkaError) -> KafkaMessage? { try await loop.next() }

    /// The message needs no more work: its offset will be committed.
    /// - Returns: false, and nothing is stored, where the partition has been taken away since: then the message comes again,
    ///   perhaps to another consumer.
    @discardableResult
    public func done(_ message: KafkaMessage) -> Bool { loop.done(message) }

    /// The message is to come again, here or to another consumer; messages behind it in the partition wait.
    public func release(_ message: KafkaMessage) { loop.perform { $0.release(message) } }

    /// Whether the partition is ours as it was when the message came.
    public func isCurrent(_ message: KafkaMessage) -> Bool { loop.isCurrent(message) }

    /// Ends `next` for all, but stays in the group, so that what is undone can still be done.
    public func stop() { loop.perform { $0.stop() } }

    /// Stops, commits what is done, and leaves the group. What is undone comes again elsewhere.
    ///
    /// librdkafka 2.0.2 can hang on the way out, and a broker may be away: after `limit` the consumer gives up, and its
    /// thread goes on by itself until the process ends. The group then takes it for dead after the session timeout. What
    /// was done is committed first.
    /// - Returns: whether it has left in time.
    @discardableResult
    public func close(limit: Duration = .seconds(10)) async -> Bool {
        loop.close(limit: limit)
        return await loop.ended.wait(limit)
    }

    /// What is known of the connection to the brokers and of the group.
    public var status: KafkaConsumerStatus { loop.status }
}

/// What a consumer knows at this moment.
public struct KafkaConsumerStatus: Sendable, Hashable {
    public var client: KafkaClientStatus
    public var assigned: [KafkaPartition]
    /// Messages that were taken and are neither done nor released.
    public var undone: Int
    /// Seconds since the last poll: one, or as many as 30 while partitions have come and their coordinator does not answer.
    /// More mean that the thread hangs or the machine slept.
    public var secondsSincePoll: Double
}

/// The thread behind a consumer, and what others leave there for it.
private final class ConsumerLoop: Sendable {
    private typealias Taker = CheckedContinuation<Result<KafkaMessage?, KafkaError>, Never>

    private struct State {
        var machine: ConsumerMachine
        var takers: [ConsumerMachine.TakerID: Taker] = [:]
        var nextTaker = 0
        /// For the thread to do, in order.
        var work: [ConsumerMachine.Action] = []
        var isClosing = false
        var closeLimit = Duration.seconds(10)
        var status = KafkaClientStatus()
        /// What was committed of the assigned partitions when they came.
        var begins: [KafkaPartition: Int64] = [:]
        var lastPoll = ContinuousClock.now
        /// The library's queue that the thread sleeps on.
        var queue: SleepingQueue?
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
                // A cancellation before this found no taker.
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
                client: state.status, assigned: state.machine.assigned, undone: state.machine.undoneCount,
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

    /// Lets the machine decide, answers takers, and leaves the rest for the thread.
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
            // Until the client is destroyed, which the thread does last.
            onError: { self.failed($0) },
            onStatistics: { self.note($0) },
            onRebalance: { self.rebalance($0, $1, $2) })
        let client = try ClientHandle(
            RD_KAFKA_CONSUMER, configuration,
            defaults: [
                ("statistics.interval.ms", "5000"),
                // One partition's wait for news delays the next fetch of all others of the broker.
                ("fetch.wait.max.ms", "100"),
                ("socket.nagle.disable", "true"),
                ("reconnect.backoff.max.ms", "2000"),
                // Little is fetched ahead. Less than this number of messages would make the library (2.0.2) wait up to a
                // second whenever one is in its queue.
                ("queued.min.messages", "1000"),
                ("queued.max.messages.kbytes", "1024"),
                ("fetch.message.max.bytes", "262144"),
                ("auto.commit.interval.ms", "1000"),
            ],
            fixed: [
                ("group.id", group),
                ("enable.auto.commit", "true"), ("enable.auto.offset.store", "false"),
                ("auto.offset.reset", "earliest"), ("partition.assignment.strategy", "range,roundrobin"),
            ], events: events)
        rd_kafka_poll_set_consumer(client.pointer)
        let list = PartitionList(topics.map { KafkaPartition(topic: $0, number: RD_KAFKA_PARTITION_UA) })
        let code = list.lend { rd_kafka_subscribe(client.pointer, $0) }
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            client.destroy()
            throw KafkaError(code)
        }
        let queue = SleepingQueue(rd_kafka_queue_get_consumer(client.pointer))
        state.withLock { $0.queue = queue }
        let thread = Thread { self.run(client) }
        thread.name = "kafka-consumer"
        thread.start()
    }

    private func run(_ client: ClientHandle) {
        while true {
            serve(client.pointer)
            if state.withLock({ $0.isClosing }) { break }
            // Ends early for a message, for an event, and when somebody has left work.
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
            // Committed by itself, for the library may crash or hang while it leaves.
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

    /// Does what has been left.
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
                // The partition has gone between the decision and now: the message comes again.
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
            let words = rd_kafka_message_errstr(message).map { configuration.scrubbing(String(cString: $0)) }
            // A fatal error comes in general terms; its cause is asked for.
            failed(client.fatalError ?? KafkaError(code, words))
        }
    }

    private func note(_ statistics: KafkaStatistics) {
        var statistics = statistics
        state.withLock { state in
            // The library does not know of it, for it was not the library that asked.
            for index in statistics.partitions.indices where statistics.partitions[index].committedOffset == nil {
                statistics.partitions[index].committedOffset = state.begins[statistics.partitions[index].partition]
            }
            state.status.note(statistics)
        }
    }

    private func failed(_ error: KafkaError) {
        state.withLock { $0.status.note(error) }
        switch error.category {
        // The library tries again by itself.
        case .unreachable, .tls, .timeout, .unavailable: if error.isFatal { fallthrough }
        default: perform { $0.fail(error) }
        }
    }

    /// Called by the library within a poll or the close, on the thread.
    private func rebalance(
        _ client: OpaquePointer, _ code: rd_kafka_resp_err_t,
        _ partitions: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?
    ) {
        guard code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, let partitions else {
            // What is done is stored before the partitions go; the library commits it then.
            let work = state.withLock { state in
                state.machine.revokeAll()
                defer { state.work = [] }
                return state.work
            }
            serve(work, client)
            rd_kafka_assign(client, nil)
            return
        }
        let begins = lookUpBegins(partitions, client)
        // One that was paused in an earlier assignment is still paused in the library.
        rd_kafka_resume_partitions(client, partitions)
        rd_kafka_assign(client, partitions)
        let assigned = PartitionList.elements(partitions).map(\.partition)
        state.withLock { state in
            state.begins = begins
            state.status.noteContact()
        }
        perform { $0.assign(assigned) }
    }

    /// Writes into the list where each partition goes on. The library would ask for that too, but only once: where the
    /// answer is an error (2.0.2; not this coordinator, for example), it never fetches the partition.
    /// - Returns: what was committed.
    private func lookUpBegins(
        _ partitions: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>, _ client: OpaquePointer
    ) -> [KafkaPartition: Int64] {
        let deadline = ContinuousClock.now + .seconds(30)
        var begins: [KafkaPartition: Int64] = [:]
        while !state.withLock({ $0.isClosing }), .now < deadline,
            rd_kafka_fatal_error(client, nil, 0) == RD_KAFKA_RESP_ERR_NO_ERROR
        {
            let code = rd_kafka_committed(client, partitions, 5000)
            let elements = PartitionList.elements(partitions)
            let errors = [code] + elements.map(\.error)
            guard let error = errors.first(where: { $0 != RD_KAFKA_RESP_ERR_NO_ERROR }) else {
                for (index, element) in elements.enumerated() {
                    if element.offset >= 0 {
                        begins[element.partition] = element.offset
                    } else {
                        partitions.pointee.elems[index].offset = Int64(RD_KAFKA_OFFSET_BEGINNING)
                    }
                }
                return begins
            }
            state.withLock { $0.status.note(KafkaError(error)) }
            // Heartbeats go on meanwhile; the library looks for the coordinator by itself.
            Thread.sleep(forTimeInterval: 0.1)
        }
        for index in 0..<Int(partitions.pointee.cnt) {
            partitions.pointee.elems[index].offset = Int64(RD_KAFKA_OFFSET_INVALID)
        }
        return [:]
    }
}

extension KafkaMessage {
    /// A copy of the library's message.
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
