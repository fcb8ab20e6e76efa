internal import CRDKafka
internal import Synchronization

/// Owns a librdkafka client. Only one thread at a time creates, polls or destroys it.
///
/// `@unchecked Sendable`: the pointer never changes, and librdkafka is thread-safe until the client is destroyed. The
/// owner of the handle calls `destroy` once and does not use the handle afterwards.
final class ClientHandle: @unchecked Sendable {
    let pointer: OpaquePointer
    private let events: Unmanaged<ClientEvents>

    /// - Parameters:
    ///   - type: `RD_KAFKA_PRODUCER` or `RD_KAFKA_CONSUMER`.
    ///   - defaults: Properties that `configuration` may override.
    ///   - fixed: Properties that `configuration` may not override.
    /// - Throws: An error of category `configuration`.
    init(
        _ type: rd_kafka_type_t, _ configuration: KafkaConfiguration, defaults: [(String, String)],
        fixed: [(String, String)], events: ClientEvents
    ) throws(KafkaError) {
        let conf = try configuration.conf(defaults: defaults, fixed: fixed)
        let events = Unmanaged.passRetained(events)
        Self.setCallbacks(conf, type, events)
        var errorText = [CChar](repeating: 0, count: 512)
        // On success, the client takes ownership of `conf`.
        guard let pointer = rd_kafka_new(type, conf, &errorText, errorText.count) else {
            rd_kafka_conf_destroy(conf)
            events.release()
            throw KafkaError(
                rd_kafka_last_error(), configuration.scrubbing(String(nullTerminated: errorText)),
                category: .configuration)
        }
        self.pointer = pointer
        self.events = events
    }

    /// Destroys the client. Call it once. Blocks until librdkafka's threads have ended. To leave its group cleanly, a
    /// consumer must be closed first.
    func destroy() {
        // Without this flag, librdkafka closes a consumer first. After a fatal error that close is refused, and
        // librdkafka 2.0.2 would wait for it forever: it checks for a fatal error only with a group.instance.id.
        rd_kafka_destroy_flags(pointer, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE)
        // Not earlier: until here, librdkafka's threads may use `events`.
        events.release()
    }

    /// The fatal error of the client, or nil.
    var fatalError: KafkaError? { events.takeUnretainedValue().fatalError(of: pointer) }

    // MARK: Callbacks

    private static func setCallbacks(
        _ conf: OpaquePointer, _ type: rd_kafka_type_t, _ events: Unmanaged<ClientEvents>
    ) {
        rd_kafka_conf_set_opaque(conf, events.toOpaque())
        rd_kafka_conf_set_log_cb(conf) { client, level, facility, text in
            guard let client, let opaque = rd_kafka_opaque(client), let text else { return }
            ClientEvents.of(opaque).forwardLog(level, facility, text)
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
            ClientEvents.of(opaque).parseStatistics(UnsafeRawBufferPointer(start: json, count: length))
            // 0: librdkafka frees the text.
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

/// The librdkafka queue on which a client's thread blocks while it polls.
///
/// `@unchecked Sendable`: librdkafka allows use from any thread until the queue is destroyed. Clients keep it under
/// their lock and remove it there before they destroy it.
struct PollQueue: @unchecked Sendable {
    private let pointer: OpaquePointer

    init?(_ pointer: OpaquePointer?) {
        guard let pointer else { return nil }
        self.pointer = pointer
    }

    /// Interrupts the current poll, or the next one.
    func wake() { rd_kafka_queue_yield(pointer) }

    /// Releases the queue. Call before the client is destroyed.
    func destroy() { rd_kafka_queue_destroy(pointer) }
}

/// Handles librdkafka's callbacks for one client. The closures run on librdkafka's threads or on the polling thread.
/// They must store and return, without blocking; only `onRebalance` may block, because it runs on the polling thread.
final class ClientEvents: Sendable {
    fileprivate let configuration: KafkaConfiguration
    private let log: KafkaLogHandler?
    fileprivate let onError: @Sendable (KafkaError) -> Void
    private let onStatistics: @Sendable (KafkaStatistics) -> Void
    let onDelivery: @Sendable (UnsafePointer<rd_kafka_message_t>) -> Void
    /// Must assign or unassign the partitions before it returns. Runs on the thread that polls or closes the client.
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

    fileprivate func forwardLog(_ level: Int32, _ facility: UnsafePointer<CChar>?, _ text: UnsafePointer<CChar>) {
        guard let log else { return }
        log(
            KafkaLogLine(
                level: Int(level), facility: facility.map { String(cString: $0) } ?? "",
                text: configuration.scrubbing(String(cString: text))))
    }

    fileprivate func fatalError(of client: OpaquePointer) -> KafkaError? {
        var errorText = [CChar](repeating: 0, count: 512)
        let code = rd_kafka_fatal_error(client, &errorText, errorText.count)
        guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return nil }
        return KafkaError(
            code, configuration.scrubbing(String(nullTerminated: errorText)), isRetriable: false, isFatal: true)
    }

    fileprivate func parseStatistics(_ json: UnsafeRawBufferPointer) {
        if let statistics = KafkaStatistics(json: json) { onStatistics(statistics) }
    }
}
