internal import CRDKafka
internal import Foundation
internal import Synchronization

/// Sends messages, idempotently and acknowledged by all replicas: a result says that the message lies in the topic, once,
/// or why that is not known.
///
/// One thread owns the client of the library: it takes what callers want to send, enqueues it, and polls for delivery
/// reports. Idempotence ends where the library gives up (a fatal error, such as sequence numbers that broker and client see
/// differently): then what is under way fails with a retriable error and may have been delivered, and a new client sends
/// what comes after. Who sends again must expect a second copy.
public final class KafkaProducer: Sendable {
    private let loop: ProducerLoop

    /// - Parameters:
    ///   - configuration: `message.timeout.ms` (30 000) bounds how long a send may take.
    ///   - log: takes librdkafka's own log.
    /// - Throws: of category `configuration`. Whether brokers answer shows with the first message.
    public init(_ configuration: KafkaConfiguration, log: KafkaLogHandler? = nil) throws(KafkaError) {
        loop = try ProducerLoop(configuration, log: log)
        loop.start()
    }

    deinit { loop.close(limit: .zero) }

    /// Sends records and waits for their delivery reports.
    ///
    /// A cancelled task returns at once: records without a report then count as `cancelled`, and those that were enqueued
    /// already may arrive nevertheless.
    /// - Returns: a result for each record, in the same order.
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

    /// Waits until all that was sent before has its report, or for `limit`.
    /// - Returns: whether nothing is under way any more.
    public func flush(limit: Duration = .seconds(10)) async -> Bool { await loop.drained().wait(limit) }

    /// Takes no more records, waits for what is under way, and ends the client. What has no report within `limit` fails.
    public func close(limit: Duration = .seconds(10)) async {
        loop.close(limit: limit)
        // The thread needs a moment after the limit to tell those who wait.
        _ = await loop.ended.wait(limit + .seconds(2))
    }

    /// What is known of the connection to the brokers.
    public var status: KafkaClientStatus { loop.status }
}

/// What a client knows of its connection. The library tells when all brokers are gone, but not when one is back: that
/// shows with the next answer from one.
public struct KafkaClientStatus: Sendable, Hashable {
    /// Whether no broker could be reached at last.
    public var isDisconnected = false
    /// The last trouble that the library goes on in spite of, such as a connection that was refused.
    public var lastError: KafkaError?
    /// How often a fatal error made a new client necessary.
    public var rebuilds = 0
    /// The newest, where `statistics.interval.ms` is set.
    public var statistics: KafkaStatistics?

    mutating func noteContact() { isDisconnected = false }

    mutating func note(_ error: KafkaError) {
        if error.code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN.rawValue { isDisconnected = true }
        lastError = error
    }

    mutating func note(_ statistics: KafkaStatistics) {
        self.statistics = statistics
        if statistics.brokers.contains(where: { $0.state == "UP" }) { isDisconnected = false }
    }
}

/// The thread behind a producer, and what others leave there for it.
private final class ProducerLoop: Sendable {
    private struct State {
        var inbox: [Delivery] = []
        /// Records with the library, by the number that travels with them.
        var pending: [Int: (delivery: Delivery, index: Int)] = [:]
        var nextNumber = 1
        /// Waits for `inbox` and `pending` to be empty.
        var drains: [Signal] = []
        /// How many records the thread holds that are in neither.
        var backlog = 0
        var isClosing = false
        var deadline: ContinuousClock.Instant?
        var status = KafkaClientStatus()
        /// The library's queue that the thread sleeps on, nil while there is no client.
        var queue: SleepingQueue?
    }

    private let state = Mutex(State())
    private let configuration: KafkaConfiguration
    private let log: KafkaLogHandler?
    /// The thread sleeps on it while there is no client.
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

    func drained() -> Signal {
        let signal = Signal()
        state.withLock { $0.drains.append(signal) }
        wake()
        return signal
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
                // With a full queue, what frees it is an event too.
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
        let drains = state.withLock { state in
            defer { state.drains = [] }
            return state.drains
        }
        for drain in drains { drain.set() }
        ended.set()
    }

    /// Milliseconds to sleep at most.
    private func pause() -> Int32 {
        let deadline = state.withLock { $0.deadline }
        guard let deadline else { return 1000 }
        return Int32(max(0, min(1000, (deadline - .now) / .milliseconds(1))))
    }

    /// Tells who waits for an empty queue, and says whether the thread has no more to do.
    private func isOver(left: Int) -> Bool {
        let (drains, isOver) = state.withLock { state -> ([Signal], Bool) in
            let isIdle = left == 0 && state.inbox.isEmpty && state.pending.isEmpty
            defer { if isIdle { state.drains = [] } }
            return (isIdle ? state.drains : [], state.isClosing && (isIdle || .now >= state.deadline ?? .now))
        }
        for drain in drains { drain.set() }
        return isOver
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

    /// Hands a record to the library.
    /// - Returns: false where its queue is full.
    private func produce(_ item: (delivery: Delivery, index: Int), _ client: ClientHandle) -> Bool {
        // Cancelled in the meantime.
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
        // A fatal error is seen after the next poll; the record then goes to the next client.
        if code == RD_KAFKA_RESP_ERR__QUEUE_FULL || code == RD_KAFKA_RESP_ERR__FATAL { return false }
        item.delivery.settle(item.index, .failure(KafkaError(code)))
        return true
    }

    private func delivered(_ message: UnsafePointer<rd_kafka_message_t>) {
        let report = message.pointee
        // After a fatal error the library throws away what it holds. The reason is told with that error, in a moment.
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

    /// What only tells that the client has lost count of its messages goes away with a new one.
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
        // The library keeps them, and the loop, until the client is destroyed, which the thread sees to at its end.
        let events = ClientEvents(
            configuration: configuration, log: log,
            onError: { error in self.state.withLock { $0.status.note(error) } },
            onStatistics: { statistics in self.state.withLock { $0.status.note(statistics) } },
            onDelivery: { message in self.delivered(message) })
        return try ClientHandle(
            RD_KAFKA_PRODUCER, configuration,
            defaults: [
                // More waiting makes larger requests, but none of ours can wait.
                ("linger.ms", "1"),
                ("socket.nagle.disable", "true"),
                // Until it tries to connect again the library (2.0.2) does not even look for messages that are overdue.
                ("reconnect.backoff.max.ms", "2000"),
                ("message.timeout.ms", "30000"),
            ],
            fixed: [("enable.idempotence", "true"), ("acks", "all")], events: events)
    }

    private func attach(_ client: ClientHandle) {
        let queue = SleepingQueue(rd_kafka_queue_get_main(client.pointer))
        state.withLock { $0.queue = queue }
    }

    private func detach() {
        let queue = state.withLock { $0.queue.take() }
        queue?.destroy()
    }

    /// Takes a client out of service that has had a fatal error.
    private func discard(_ client: ClientHandle, _ error: KafkaError) {
        // Reports that have come already are true.
        rd_kafka_poll(client.pointer, 0)
        detach()
        state.withLock { state in
            state.status.rebuilds += 1
            state.status.lastError = error
        }
        // Where the broker forbids it, or has no idempotence, the next client will fare no better.
        let isHopeless = [.forbidden, .unsupported, .credentials].contains(error.category)
        failPending(
            KafkaError(
                rd_kafka_resp_err_t(error.code), error.message, category: isHopeless ? nil : .unavailable,
                isRetriable: !isHopeless))
        destroy(client)
    }

    private func end(_ client: ClientHandle) {
        detach()
        destroy(client)
    }

    private func destroy(_ client: ClientHandle) {
        rd_kafka_purge(client.pointer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT)
        // It may block, and nobody has to wait for it.
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
    /// Copies the record into the library's queue.
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
    /// Lends the bytes; null for nil, but not for no bytes.
    @discardableResult
    fileprivate func withBytes<R>(_ body: (UnsafeRawPointer?, Int) -> R) -> R {
        guard let self else { return body(nil, 0) }
        return self.isEmpty
            ? withUnsafeBytes(of: UInt8(0)) { body($0.baseAddress, 0) }
            : self.withUnsafeBytes { body($0.baseAddress, $0.count) }
    }
}
