internal import CRDKafka

/// An error reported by librdkafka or a broker. It contains no secrets from the configuration.
public struct KafkaError: Error, Hashable, Sendable {
    /// The kind of error, by which a caller decides how to react.
    public enum Category: String, Sendable, CaseIterable {
        /// No broker could be resolved or connected to, or the connection was lost.
        case unreachable
        /// The TLS handshake failed. librdkafka 2.0.2 also reports an unclean disconnect as this.
        case tls
        /// The connection ended while the protocol was negotiated: the listener probably speaks another one, such as TLS.
        case wrongProtocol
        /// SASL authentication failed.
        case credentials
        /// Authenticated, but not authorized.
        case forbidden
        /// No reply or delivery in time.
        case timeout
        /// The broker is reachable but cannot serve the request now: no leader, too few replicas, overload.
        case unavailable
        /// The topic or partition does not exist, or does not exist yet.
        case unknownTopic
        /// The message exceeds a limit of the client, the broker or the topic.
        case tooLarge
        /// The member was removed from its consumer group. It rejoins by itself.
        case group
        /// A property, name or argument is invalid.
        case configuration
        /// Not supported by the broker or by this version of librdkafka.
        case unsupported
        /// The waiting task was cancelled.
        case cancelled
        /// The client has been closed.
        case closed
        /// None of these.
        case other
    }

    /// The kind of error.
    public let category: Category
    /// `RD_KAFKA_RESP_ERR_…` of rdkafka.h: positive from a broker, negative from the library.
    public let code: Int32
    /// The code's name without the prefix, such as `_MSG_TIMED_OUT` or `NOT_LEADER_FOR_PARTITION`.
    public let name: String
    /// librdkafka's message, without a full stop.
    public let message: String
    /// Whether the same call may succeed later.
    public let isRetriable: Bool
    /// Whether the client is unusable after this error.
    public let isFatal: Bool

    init(
        _ code: rd_kafka_resp_err_t, _ message: String? = nil, category: Category? = nil, isRetriable: Bool? = nil,
        isFatal: Bool = false
    ) {
        let text = message.flatMap { $0.isEmpty ? nil : $0 } ?? String(cString: rd_kafka_err2str(code))
        let category = category ?? Self.category(code, text)
        self.category = category
        self.code = code.rawValue
        name = String(cString: rd_kafka_err2name(code))
        self.message = text.trimmingSuffix { $0.isNewline || $0 == "." }
        self.isRetriable = isRetriable ?? Self.isRetriable(category)
        self.isFatal = isFatal
    }

    /// Takes ownership of a librdkafka error object.
    init(consuming error: OpaquePointer, scrubbing configuration: KafkaConfiguration) {
        defer { rd_kafka_error_destroy(error) }
        self.init(
            rd_kafka_error_code(error), configuration.scrubbing(String(cString: rd_kafka_error_string(error))),
            isFatal: rd_kafka_error_is_fatal(error) != 0)
    }

    /// What this user may not use, if the brokers said so.
    public enum DeniedResource: Sendable, Hashable {
        case topic, group, cluster
    }

    /// The kind of object that a `forbidden` error is about, or nil if it is about none, such as a policy of the brokers.
    public var deniedResource: DeniedResource? {
        switch rd_kafka_resp_err_t(code) {
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED: .topic
        case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED: .group
        case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED: .cluster
        default: nil
        }
    }

    /// Whether the group's session timeout is outside the limits of the brokers.
    public var isInvalidSessionTimeout: Bool { code == RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT.rawValue }

    static let cancelled = KafkaError(RD_KAFKA_RESP_ERR__INTR, "the wait was cancelled", category: .cancelled)
    static let closed = KafkaError(RD_KAFKA_RESP_ERR__DESTROY, "the client has been closed", category: .closed)

    private static func isRetriable(_ category: Category) -> Bool {
        switch category {
        case .unreachable, .tls, .wrongProtocol, .timeout, .unavailable, .unknownTopic, .group: true
        case .credentials, .forbidden, .tooLarge, .configuration, .unsupported, .cancelled, .closed, .other: false
        }
    }

    private static func category(_ code: rd_kafka_resp_err_t, _ text: String) -> Category {
        // librdkafka has no code for this; only its text tells it from other lost connections. Source:
        // rd_kafka_broker_set_error and rd_kafka_transport_ssl_handshake of librdkafka 2.0.2 and 2.8.0.
        let signs = ["security.protocol", "SSL_HANDSHAKE", "PLAINTEXT broker listener"]
        if code == RD_KAFKA_RESP_ERR__TRANSPORT, signs.contains(where: { text.contains($0) }) { return .wrongProtocol }
        return category(code)
    }

    /// Source: rdkafka.h `rd_kafka_resp_err_t` and https://kafka.apache.org/protocol#protocol_error_codes.
    private static func category(_ code: rd_kafka_resp_err_t) -> Category {
        switch code {
        case RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__RESOLVE, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN,
            RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
            .unreachable
        case RD_KAFKA_RESP_ERR__SSL: .tls
        case RD_KAFKA_RESP_ERR__AUTHENTICATION, RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED,
            RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM, RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE,
            RD_KAFKA_RESP_ERR_SECURITY_DISABLED:
            .credentials
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
            RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
            .forbidden
        case RD_KAFKA_RESP_ERR__TIMED_OUT, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE,
            RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
            .timeout
        case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
            RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
            RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, RD_KAFKA_RESP_ERR__ISR_INSUFF,
            RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
            RD_KAFKA_RESP_ERR_NOT_COORDINATOR, RD_KAFKA_RESP_ERR__WAIT_COORD,
            RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, RD_KAFKA_RESP_ERR_NOT_CONTROLLER,
            RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED, RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE,
            RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH, RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH,
            RD_KAFKA_RESP_ERR__QUEUE_FULL, RD_KAFKA_RESP_ERR__RETRY, RD_KAFKA_RESP_ERR__PURGE_QUEUE,
            RD_KAFKA_RESP_ERR__PURGE_INFLIGHT:
            .unavailable
        case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
            RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
            .unknownTopic
        case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE,
            RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
            .tooLarge
        case RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,
            RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS,
            RD_KAFKA_RESP_ERR_MEMBER_ID_REQUIRED, RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST:
            .group
        case RD_KAFKA_RESP_ERR__INVALID_ARG, RD_KAFKA_RESP_ERR__NOT_CONFIGURED, RD_KAFKA_RESP_ERR_INVALID_CONFIG,
            RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT, RD_KAFKA_RESP_ERR_INVALID_GROUP_ID,
            RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL, RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR,
            RD_KAFKA_RESP_ERR_INVALID_PARTITIONS, RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION,
            RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
            .configuration
        case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION,
            RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED:
            .unsupported
        default: .other
        }
    }
}

extension KafkaError: CustomStringConvertible {
    public var description: String { "\(message) (\(name), \(code))" }
}

extension StringProtocol {
    func trimmingSuffix(where isUnwanted: (Character) -> Bool) -> String {
        var text = String(self)
        while let last = text.last, isUnwanted(last) { text.removeLast() }
        return text
    }
}
