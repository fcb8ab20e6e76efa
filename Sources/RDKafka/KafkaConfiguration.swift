internal import CRDKafka

/// Broker addresses and other librdkafka properties. librdkafka validates each property when it is set. A property on
/// whose value this module depends cannot be set.
///
/// Source of names and values: https://github.com/confluentinc/librdkafka/blob/v2.0.2/CONFIGURATION.md
public struct KafkaConfiguration: Sendable, Hashable {
    /// The properties that were set, including secrets.
    public private(set) var properties: [String: String] = [:]

    public init() {}

    /// - Parameter brokers: A comma-separated list of `host:port`. List several, so that one unavailable broker does
    ///   not prevent the start.
    public init(brokers: String) throws(KafkaError) { try set("bootstrap.servers", brokers) }

    /// Sets a property.
    /// - Throws: An error of category `configuration` if the property cannot be set, or if librdkafka rejects the name
    ///   or the value.
    public mutating func set(_ name: String, _ value: String) throws(KafkaError) {
        if let reason = Self.protected[name] {
            throw KafkaError(RD_KAFKA_RESP_ERR__INVALID_ARG, "the property \"\(name)\" cannot be set: \(reason)")
        }
        if Self.deliveryTimeouts.contains(name), Int(value) == 0 {
            throw KafkaError(
                RD_KAFKA_RESP_ERR__INVALID_ARG, "the property \"\(name)\" cannot be 0: deliveries need a timeout"
            )
        }
        guard let conf = rd_kafka_conf_new() else { throw KafkaError(RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE) }
        defer { rd_kafka_conf_destroy(conf) }
        try Self.set(name, value, on: conf)
        properties[name] = value
    }

    /// Sets a property unless it has been set.
    public mutating func setDefault(_ name: String, _ value: String) throws(KafkaError) {
        if properties[name] == nil { try set(name, value) }
    }

    /// Sets a property given as `name=value`, as with kcat's `-X`.
    public mutating func set(assignment: String) throws(KafkaError) {
        guard let equals = assignment.firstIndex(of: "="), Self.isName(assignment[..<equals].trimming()) else {
            // Nothing of the assignment is shown: it may be a secret, or a line of a private key, which may contain "=".
            throw KafkaError(
                RD_KAFKA_RESP_ERR__INVALID_ARG, "expected property=value, such as security.protocol=SSL")
        }
        try set(
            String(assignment[..<equals].trimming()), String(assignment[assignment.index(after: equals)...].trimming()))
    }

    /// Loads properties from kcat's file format: one `name=value` per line, blank lines, and comments after `#`.
    /// - Parameters:
    ///   - lines: The lines of the file.
    ///   - file: The name of the file for error messages.
    public mutating func load(_ lines: [String], file: String) throws(KafkaError) {
        for (index, line) in lines.enumerated() {
            let line = line.trimming()
            if line.isEmpty || line.hasPrefix("#") { continue }
            do { try set(assignment: String(line)) } catch {
                throw KafkaError(RD_KAFKA_RESP_ERR__INVALID_ARG, "\(file), line \(index + 1): \(error.message)")
            }
        }
    }

    /// Whether a text has the form of a property's name.
    private static func isName(_ text: Substring) -> Bool {
        let isCharacter = { (byte: UInt8) in
            (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x2E || byte == 0x5F
        }
        return !text.isEmpty && text.utf8.count <= 64 && text.utf8.allSatisfy(isCharacter)
    }

    /// The properties in order of their names, with secrets masked.
    public var masked: [(name: String, value: String)] {
        properties.sorted { $0.key < $1.key }.map { ($0.key, Self.isSecret($0.key) ? "***" : $0.value) }
    }

    /// The name and version of the library, such as `librdkafka 2.0.2`.
    public static var libraryVersion: String { "librdkafka " + String(cString: rd_kafka_version_str()) }

    /// A known limitation of the linked library that affects these properties, with a remedy, or nil.
    public var warning: String? { warning(libraryVersion: rd_kafka_version()) }

    /// - Parameter libraryVersion: As returned by `rd_kafka_version`: 0x020601ff is 2.6.1.
    func warning(libraryVersion: CInt) -> String? {
        // If both are set, `conf` sets `sasl.mechanisms` last, and librdkafka uses the last of two aliases.
        let mechanism = properties["sasl.mechanisms"] ?? properties["sasl.mechanism"] ?? ""
        guard libraryVersion < 0x0206_01ff, mechanism.uppercased().hasPrefix("SCRAM-"),
            properties["security.protocol"]?.lowercased().hasPrefix("sasl") == true
        else { return nil }
        return
            "\(Self.libraryVersion) cannot log in to Kafka 4 with \(mechanism): the broker reports invalid credentials "
            + "although the password is right. Use librdkafka 2.6.1 or later (Debian 13 has it), or PLAIN over TLS."
    }

    // MARK: For the clients

    /// Creates librdkafka's configuration. Properties override `defaults`; `fixed` overrides both.
    func conf(
        defaults: [(String, String)], fixed: [(String, String)]
    ) throws(KafkaError) -> OpaquePointer {
        guard let conf = rd_kafka_conf_new() else { throw KafkaError(RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE) }
        do {
            for (name, value) in defaults { try Self.set(name, value, on: conf) }
            // Sorted, so that it is always the same one of two aliases that is set last and wins.
            for (name, value) in properties.sorted(by: { $0.key < $1.key }) { try Self.set(name, value, on: conf) }
            for (name, value) in fixed { try Self.set(name, value, on: conf) }
        } catch {
            rd_kafka_conf_destroy(conf)
            throw error
        }
        return conf
    }

    /// Returns `text` with each secret masked.
    func scrubbing(_ text: String) -> String {
        var text = text
        // Masking a very short value would make the text unreadable.
        for (name, value) in properties where Self.isSecret(name) && value.count > 2 {
            text.replace(value, with: "***")
        }
        return text
    }

    /// Whether the value of a property is a secret. librdkafka has such a flag too, but does not expose it. The path of
    /// a file is none.
    static func isSecret(_ name: String) -> Bool {
        let words = [
            "password", "secret", "key", "token", ".pem", "sasl.jaas.config", "sasl.username", "oauthbearer.config",
        ]
        return !name.hasSuffix(".location") && words.contains { name.contains($0) }
    }

    private static func set(_ name: String, _ value: String, on conf: OpaquePointer) throws(KafkaError) {
        var errorText = [CChar](repeating: 0, count: 512)
        guard rd_kafka_conf_set(conf, name, value, &errorText, errorText.count) != RD_KAFKA_CONF_OK else { return }
        var text = String(nullTerminated: errorText)
        if isSecret(name), !value.isEmpty { text.replace(value, with: "***") }
        throw KafkaError(RD_KAFKA_RESP_ERR__INVALID_ARG, text)
    }

    private static let deliveryTimeouts: Set = ["message.timeout.ms", "delivery.timeout.ms"]

    /// The names and aliases of properties that cannot be set, each with the reason.
    private static let protected: [String: String] = {
        let done = "an offset is stored only when its message is done"
        let once = "messages are sent idempotently and acknowledged by all replicas"
        let assignment = "the group's assignment is eager, by range or roundrobin"
        let reports = "the delivery report of each message is awaited"
        let client = "the client sets it"
        return [
            "enable.auto.commit": done, "auto.commit.enable": done, "enable.auto.offset.store": done,
            "auto.offset.reset": "a new group starts with the oldest message",
            "enable.idempotence": once, "acks": once, "request.required.acks": once,
            "transactional.id": "transactions are not used",
            "partition.assignment.strategy": assignment, "group.protocol": assignment,
            "group.remote.assignor": assignment,
            "group.id": "the group has its own setting",
            "delivery.report.only.error": reports, "enable.partition.eof": client, "log.queue": client,
            "enabled_events": client, "enable.random.seed": client,
        ]
    }()
}

extension KafkaConfiguration: CustomStringConvertible, CustomReflectable {
    public var description: String { masked.map { "\($0.name)=\($0.value)" }.joined(separator: " ") }
    /// Masks secrets in the output of `dump` and of failed tests.
    public var customMirror: Mirror { Mirror(self, children: masked.map { ($0.name, $0.value) }) }
}

extension String {
    /// Decodes a null-terminated buffer.
    init(nullTerminated buffer: [CChar]) {
        self.init(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

extension StringProtocol {
    fileprivate func trimming() -> SubSequence {
        guard let first = firstIndex(where: { !$0.isWhitespace }), let last = lastIndex(where: { !$0.isWhitespace })
        else { return self[endIndex...] }
        return self[first...last]
    }
}
