internal import CRDKafka
internal import Foundation
internal import Synchronization

/// Sends messages idempotently, acknowledged by all replicas. A successful result means that the message is stored
/// exactly once. After an error, the message may or may not be stored.
///
/// One thread owns the librdkafka client. It enqueues records and polls for delivery reports. After a fatal error, such
/// as an out-of-order sequence number, that client is replaced: records in flight fail with a retriable error although
/// they may have been delivered, and a new client sends later records. A caller that retries must therefore tolerate
/// duplicates.
public final class KafkaProducer: Sendable {
    private let loop: ProducerLoop

    /// - Parameters:
    ///   - configuration: `message.timeout.ms` (default here: 30 000) bounds the duration of a send.
    ///   - log: Receives librdkafka's log lines.
    /// - Throws: An error of category `configuration`. Connection errors appear with the first send.
    public init(_ configuration: KafkaConfiguration, log: KafkaLogHandler? = nil) throws(KafkaError) {
        loop = try ProducerLoop(configuration, log: log)
        loop.start()
    }

    deinit { loop.close(limit: .zero) }

    /// Sends records and waits for their delivery reports.
    ///
    /// A cancelled task returns at once. Records without a report then fail with `cancelled`; those already enqueued
    /// may still be delivered.
    /// - Returns: One result per record, in the same order.
    public func send(_ records: [KafkaRecord]) async -> [Result<KafkaReceipt, KafkaError>] {
        guard !records.isEmpty else { return [] }
        let delivery = Delivery(records)
        loop.enqueue(delivery)
        return await delivery.results()
    }

    /// Sends one record.
    @discardableResult
    public func send(_ record: KafkaRecord) async throws(KafkaError) -> KafkaReceipt {
        guard let result = await send([record]).first else { throw KafkaError.cancelled }
        return try result.get()
    }

    /// Rejects new records, waits for pending ones, and destroys the client. Records without a delivery report after
    /// `limit` fail with `closed`.
    public func close(limit: Duration = .seconds(10)) async {
        loop.close(limit: limit)
        // The thread fails pending records after the limit, which takes it a little longer.
        _ = await loop.ended.wait(limit + .seconds(2))
    }

    /// The state of the broker connections.
    public var status: KafkaClientStatus { loop.status }
}

/// The state of a client's connections. librdkafka reports when all brokers are down, but not when one is available
/// again. The client notices that from the broker's next reply.
public struct KafkaClientStatus: Sendable, Hashable {
    /// Whether all brokers were unreachable at the last report.
    public var isDisconnected = false
    /// The last non-fatal error since a broker last replied, such as a refused connection.
    public var lastError: KafkaError?
    /// The number of times that a fatal error required a new client.
    public var rebuilds = 0
    /// The latest statistics, if `statistics.interval.ms` is set.
    public var statistics: KafkaStatistics?

    mutating func noteContact() {
        isDisconnected = false
        lastError = nil
    }

    mutating func note(_ error: KafkaError) {
        if error.code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN.rawValue {
            // It follows the error of the last broker, which says more.
            isDisconnected = true
        } else {
            lastError = error
        }
    }

    mutating func note(_ statistics: KafkaStatistics) {
        self.statistics = statistics
        if statistics.brokers.contains(where: { $0.state == "UP" }) { noteContact() }
    }
}

/// A producer's thread and the state that it shares with callers.
private final class ProducerLoop: Sendable {
    private struct State {
        var inbox: [Delivery] = []
        /// Records enqueued in librdkafka, by the number passed as their opaque value.
        var pending: [Int: (delivery: Delivery, index: Int)] = [:]
        var nextNumber = 1
        var isClosing = false
        var deadline: ContinuousClock.Instant?
        var status = KafkaClientStatus()
        /// The librdkafka queue that the thread blocks on, or nil while there is no client.
        var queue: PollQueue?
    }

    private let state = Mutex(State())
    private let configuration: KafkaConfiguration
    private let log: KafkaLogHandler?
    /// The thread waits on this while there is no client.
    private let wakeSignal = DispatchSemaphore(value: 0)
    let ended = Signal()
    private let first: Mutex<ClientHandle?>

    init(_ configuration: KafkaConfiguration, log: KafkaLogHandler?) throws(KafkaError) {
        self.configuration = configuration
        self.log = log
        first = Mutex(nil)
        let client = try makeClient()
        first.withLock { $0 = client }
    }

    var status: KafkaClientStatus { state.withLock { $0.status } }

    func start() {
        let thread = Thread { self.run() }
        thread.name = "kafka-producer"
        thread.start()
    }

    func enqueue(_ delivery: Delivery) {
        let isClosing = state.withLock { state in
            if !state.isClosing { state.inbox.append(delivery) }
            return state.isClosing
        }
        if isClosing { delivery.settleRest(.closed) } else { wake() }
    }

    func close(limit: Duration) {
        state.withLock { state in
            state.isClosing = true
            let deadline = ContinuousClock.now + limit
            state.deadline = state.deadline.map { min($0, deadline) } ?? deadline
        }
        wake()
    }

    private func wake() {
        state.withLock { state in
            if let queue = state.queue { queue.wake() } else { wakeSignal.signal() }
        }
    }

    // MARK: The thread

    private func run() {
        var client = first.withLock { $0.take() }
        if let client { attach(client) }
        var backlog: [(delivery: Delivery, index: Int)] = []
        var next = 0
        while true {
            backlog.removeFirst(next)
            next = 0
            let inbox = state.withLock { state in
                defer { state.inbox = [] }
                return state.inbox
            }
            for delivery in inbox { backlog += delivery.records.indices.map { (delivery, $0) } }
            if client == nil, next < backlog.count { client = renew(failing: &backlog, &next) }
            if let client {
                while next < backlog.count, produce(backlog[next], client) { next += 1 }
                // If librdkafka's queue is full, try again after the next delivery report, or after 100 ms.
                rd_kafka_poll(client.pointer, next < backlog.count ? 100 : pause())
            } else {
                _ = wakeSignal.wait(timeout: .now() + .milliseconds(Int(pause())))
            }
            if let dead = client, let error = dead.fatalError {
                discard(dead, error)
                client = nil
            }
            if isOver(left: backlog.count - next) { break }
        }
        for item in backlog[next...] { item.delivery.settle(item.index, .failure(.closed)) }
        if let client { end(client) }
        failPending(.closed)
        ended.set()
    }

    /// The maximum time to wait for an event, in milliseconds: a second, or until the deadline.
    private func pause() -> Int32 {
        let deadline = state.withLock { $0.deadline }
        guard let deadline else { return 1000 }
        return Int32(max(0, min(1000, (deadline - .now) / .milliseconds(1))))
    }

    /// Whether the thread may end.
    private func isOver(left: Int) -> Bool {
        state.withLock { state in
            let isIdle = left == 0 && state.inbox.isEmpty && state.pending.isEmpty
            return state.isClosing && (isIdle || .now >= state.deadline ?? .now)
        }
    }

    private func renew(failing backlog: inout [(delivery: Delivery, index: Int)], _ next: inout Int) -> ClientHandle? {
        do {
            let client = try makeClient()
            attach(client)
            return client
        } catch {
            for item in backlog[next...] { item.delivery.settle(item.index, .failure(error)) }
            next = backlog.count
            return nil
        }
    }

    /// Enqueues a record in librdkafka, unless its `send` was cancelled.
    /// - Returns: False if the record must be enqueued later, because librdkafka's queue is full or the client has a
    ///   fatal error.
    private func produce(_ item: (delivery: Delivery, index: Int), _ client: ClientHandle) -> Bool {
        guard !item.delivery.isOver else { return true }
        let record = item.delivery.records[item.index]
        let number = state.withLock { state in
            defer { state.nextNumber += 1 }
            state.pending[state.nextNumber] = item
            return state.nextNumber
        }
        let code = record.enqueue(on: client, number: number)
        guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return true }
        state.withLock { _ = $0.pending.removeValue(forKey: number) }
        // After a fatal error, the loop replaces the client, and the next one gets the record.
        if code == RD_KAFKA_RESP_ERR__QUEUE_FULL || code == RD_KAFKA_RESP_ERR__FATAL { return false }
        item.delivery.settle(item.index, .failure(KafkaError(code)))
        return true
    }

    private func delivered(_ message: UnsafePointer<rd_kafka_message_t>) {
        let report = message.pointee
        // After a fatal error, librdkafka purges its queues. Ignore that: `discard` fails these records with the cause.
        let isPurge = [
            RD_KAFKA_RESP_ERR__PURGE_QUEUE, RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, RD_KAFKA_RESP_ERR__FATAL,
        ]
        .contains(report.err)
        guard !isPurge else { return }
        let item = state.withLock { state in
            if report.err == RD_KAFKA_RESP_ERR_NO_ERROR { state.status.noteContact() }
            return state.pending.removeValue(forKey: Int(bitPattern: report._private))
        }
        guard let item else { return }
        if report.err == RD_KAFKA_RESP_ERR_NO_ERROR {
            let partition = KafkaPartition(
                topic: item.delivery.records[item.index].topic, number: report.partition)
            item.delivery.settle(item.index, .success(KafkaReceipt(partition: partition, offset: report.offset)))
        } else {
            item.delivery.settle(item.index, .failure(Self.error(report.err)))
        }
    }

    /// Maps errors about lost sequence state to `unavailable`, because a new client solves them.
    private static func error(_ code: rd_kafka_resp_err_t) -> KafkaError {
        let isLost = [
            RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID,
            RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING,
        ]
        .contains(code)
        return isLost ? KafkaError(code, category: .unavailable) : KafkaError(code)
    }

    // MARK: The client

    private func makeClient() throws(KafkaError) -> ClientHandle {
        // The client retains `events`, and thereby this loop, until it is destroyed.
        let events = ClientEvents(
            configuration: configuration, log: log,
            onError: { error in self.state.withLock { $0.status.note(error) } },
            onStatistics: { statistics in self.state.withLock { $0.status.note(statistics) } },
            onDelivery: { message in self.delivered(message) })
        return try ClientHandle(
            RD_KAFKA_PRODUCER, configuration,
            defaults: [
                // A longer delay would allow larger requests, but these messages cannot wait.
                ("linger.ms", "1"),
                ("socket.nagle.disable", "true"),
                // librdkafka 2.0.2 notices that messages have timed out only at its next connection attempt.
                ("reconnect.backoff.max.ms", "2000"),
                ("message.timeout.ms", "30000"),
            ],
            fixed: [("enable.idempotence", "true"), ("acks", "all")], events: events)
    }

    private func attach(_ client: ClientHandle) {
        let queue = PollQueue(rd_kafka_queue_get_main(client.pointer))
        state.withLock { $0.queue = queue }
    }

    private func detach() {
        let queue = state.withLock { $0.queue.take() }
        queue?.destroy()
    }

    /// Destroys a client after a fatal error, and fails the records that it had in flight.
    private func discard(_ client: ClientHandle, _ error: KafkaError) {
        // Process the delivery reports that have already arrived.
        rd_kafka_poll(client.pointer, 0)
        detach()
        state.withLock { state in
            state.status.rebuilds += 1
            state.status.lastError = error
        }
        // A new client would not help if the broker denies or does not support idempotence.
        let isPermanent = [.forbidden, .unsupported, .credentials].contains(error.category)
        failPending(
            KafkaError(
                rd_kafka_resp_err_t(error.code), error.message, category: isPermanent ? nil : .unavailable,
                isRetriable: !isPermanent))
        destroy(client)
    }

    private func end(_ client: ClientHandle) {
        detach()
        destroy(client)
    }

    private func destroy(_ client: ClientHandle) {
        rd_kafka_purge(client.pointer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT)
        // Destroying blocks, and nothing depends on it, so it runs on a thread of its own.
        let thread = Thread { client.destroy() }
        thread.name = "kafka-destroy"
        thread.start()
    }

    private func failPending(_ error: KafkaError) {
        let pending = state.withLock { state in
            defer { state.pending = [:] }
            return state.pending
        }
        for item in pending.values { item.delivery.settle(item.index, .failure(error)) }
    }
}

extension KafkaRecord {
    /// Copies the record into librdkafka's queue. `number` is the opaque value of its delivery report.
    fileprivate func enqueue(on client: ClientHandle, number: Int) -> rd_kafka_resp_err_t {
        var list: OpaquePointer?
        if !headers.isEmpty {
            list = rd_kafka_headers_new(headers.count)
            for header in headers {
                header.value.withBytes { rd_kafka_header_add(list, header.name, -1, $0, $1) }
            }
        }
        let code = key.withBytes { key, keySize in
            payload.withBytes { payload, size in
                clairo_rd_kafka_produce(
                    client.pointer, topic, key, keySize, payload, size, list,
                    UnsafeMutableRawPointer(bitPattern: number))
            }
        }
        if code != RD_KAFKA_RESP_ERR_NO_ERROR, let list { rd_kafka_headers_destroy(list) }
        return code
    }
}

extension [UInt8]? {
    /// Lends the bytes. The pointer is null for nil but not for an empty array, because librdkafka treats these
    /// differently.
    @discardableResult
    fileprivate func withBytes<R>(_ body: (UnsafeRawPointer?, Int) -> R) -> R {
        guard let self else { return body(nil, 0) }
        return self.isEmpty
            ? withUnsafeBytes(of: UInt8(0)) { body($0.baseAddress, 0) }
            : self.withUnsafeBytes { body($0.baseAddress, $0.count) }
    }
}
