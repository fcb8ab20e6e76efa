internal import CRDKafka
internal import Synchronization

/// A client of the library. It is made, polled and destroyed by one thread at a time.
///
/// `@unchecked Sendable`: the pointer never changes, and the library's functions may be called from any thread while the
/// handle lives; each client says who calls `destroy` and that nobody uses the handle after that.
final class ClientHandle: @unchecked Sendable {
    let pointer: OpaquePointer
    private let events: Unmanaged<ClientEvents>

    /// - Parameter type: `RD_KAFKA_PRODUCER` or `RD_KAFKA_CONSUMER`.
    init(
        _ type: rd_kafka_type_t, _ configuration: KafkaConfiguration, defaults: [(String, String)],
        fixed: [(String, String)], events: ClientEvents
    ) throws(KafkaError) {
        let conf = try configuration.conf(defaults: defaults, fixed: fixed)
        let events = Unmanaged.passRetained(events)
        Self.setCallbacks(conf, type, events)
        var words = [CChar](repeating: 0, count: 512)
        // Owns the configuration only where it succeeds.
        guard let pointer = rd_kafka_new(type, conf, &words, words.count) else {
            rd_kafka_conf_destroy(conf)
            events.release()
            throw KafkaError(
                rd_kafka_last_error(), configuration.scrubbing(String(nullTerminated: words)),
                category: .configuration)
        }
        self.pointer = pointer
        self.events = events
    }

    /// Call it once. It may block for as long as the library's threads take to end. A consumer that wants to leave its group
    /// in peace closes before.
    func destroy() {
        // librdkafka 2.0.2 looks for fatal errors of a consumer with group.instance.id only; any other that has had one
        // would wait for ever for the end of a close that was refused.
        rd_kafka_destroy_flags(pointer, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE)
        // Until now the library's threads could call it.
        events.release()
    }

    /// The error that has made the client useless, or nil.
    var fatalError: KafkaError? { events.takeUnretainedValue().fatalError(of: pointer) }

    // MARK: Callbacks

    private static func setCallbacks(
        _ conf: OpaquePointer, _ type: rd_kafka_type_t, _ events: Unmanaged<ClientEvents>
    ) {
        rd_kafka_conf_set_opaque(conf, events.toOpaque())
        rd_kafka_conf_set_log_cb(conf) { client, level, facility, text in
            guard let client, let opaque = rd_kafka_opaque(client), let text else { return }
            ClientEvents.of(opaque).logged(level, facility, text)
        }
        rd_kafka_conf_set_error_cb(conf) { client, code, reason, opaque in
            guard let opaque else { return }
            let events = ClientEvents.of(opaque)
            if code == RD_KAFKA_RESP_ERR__FATAL.rawValue, let client, let error = events.fatalError(of: client) {
                events.onError(error)
            } else {
                events.onError(
                    KafkaError(
                        rd_kafka_resp_err_t(code), reason.map { events.configuration.scrubbing(String(cString: $0)) }))
            }
        }
        rd_kafka_conf_set_stats_cb(conf) { _, json, length, opaque in
            guard let opaque, let json else { return 0 }
            ClientEvents.of(opaque).counted(UnsafeRawBufferPointer(start: json, count: length))
            // The library frees the text.
            return 0
        }
        if type == RD_KAFKA_PRODUCER {
            rd_kafka_conf_set_dr_msg_cb(conf) { _, message, opaque in
                guard let opaque, let message else { return }
                ClientEvents.of(opaque).onDelivery(message)
            }
        } else {
            rd_kafka_conf_set_rebalance_cb(conf) { client, code, partitions, opaque in
                guard let opaque, let client else { return }
                ClientEvents.of(opaque).onRebalance(client, code, partitions)
            }
        }
    }
}

/// The queue of the library that a client's thread sleeps on while it polls.
///
/// `@unchecked Sendable`: the library allows its use from any thread while it lives; clients keep it under their lock, and
/// put it away there before they destroy it.
struct SleepingQueue: @unchecked Sendable {
    private let pointer: OpaquePointer

    init?(_ pointer: OpaquePointer?) {
        guard let pointer else { return nil }
        self.pointer = pointer
    }

    /// Ends the poll that runs, or else the next one at once.
    func wake() { rd_kafka_queue_yield(pointer) }

    /// Before the client is destroyed.
    func destroy() { rd_kafka_queue_destroy(pointer) }
}

/// What the library tells of a client. Each closure stores and returns; none may wait or throw.
final class ClientEvents: Sendable {
    fileprivate let configuration: KafkaConfiguration
    private let log: KafkaLogHandler?
    fileprivate let onError: @Sendable (KafkaError) -> Void
    private let onStatistics: @Sendable (KafkaStatistics) -> Void
    let onDelivery: @Sendable (UnsafePointer<rd_kafka_message_t>) -> Void
    /// Must assign or unassign before it returns.
    let onRebalance:
        @Sendable (OpaquePointer, rd_kafka_resp_err_t, UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?) -> Void

    init(
        configuration: KafkaConfiguration, log: KafkaLogHandler?,
        onError: @escaping @Sendable (KafkaError) -> Void = { _ in },
        onStatistics: @escaping @Sendable (KafkaStatistics) -> Void = { _ in },
        onDelivery: @escaping @Sendable (UnsafePointer<rd_kafka_message_t>) -> Void = { _ in },
        onRebalance:
            @escaping @Sendable (
                OpaquePointer, rd_kafka_resp_err_t, UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?
            ) -> Void = { _, _, _ in }
    ) {
        self.configuration = configuration
        self.log = log
        self.onError = onError
        self.onStatistics = onStatistics
        self.onDelivery = onDelivery
        self.onRebalance = onRebalance
    }

    static func of(_ opaque: UnsafeMutableRawPointer) -> ClientEvents {
        Unmanaged<ClientEvents>.fromOpaque(opaque).takeUnretainedValue()
    }

    fileprivate func logged(_ level: Int32, _ facility: UnsafePointer<CChar>?, _ text: UnsafePointer<CChar>) {
        guard let log else { return }
        log(
            KafkaLogLine(
                level: Int(level), facility: facility.map { String(cString: $0) } ?? "",
                text: configuration.scrubbing(String(cString: text))))
    }

    fileprivate func fatalError(of client: OpaquePointer) -> KafkaError? {
        var words = [CChar](repeating: 0, count: 512)
        let code = rd_kafka_fatal_error(client, &words, words.count)
        guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return nil }
        return KafkaError(
            code, configuration.scrubbing(String(nullTerminated: words)), isRetriable: false, isFatal: true)
    }

    fileprivate func counted(_ json: UnsafeRawBufferPointer) {
        if let statistics = KafkaStatistics(json: json) { onStatistics(statistics) }
    }
}
