internal import CRDKafka

/// Where the brokers are and how to talk to them: properties of librdkafka by name, checked by the library itself when they
/// are set. Those that this module's promises rest on cannot be set.
///
/// Source of names and values: https://github.com/confluentinc/librdkafka/blob/v2.0.2/CONFIGURATION.md
public struct KafkaConfiguration: Sendable, Hashable {
    /// What has been set, secrets included.
    public private(set) var properties: [String: String] = [:]

    public init() {}

    /// - Parameter brokers: `host:port` of one or more brokers, separated by commas. Give several: one that is down at the
    ///   start then does no harm.
    public init(brokers: String) throws(KafkaError) { try set("bootstrap.servers", brokers) }

    /// Sets a property.
    /// - Throws: of category `configuration`, in librdkafka's words where it refuses the name or the value.
    public mutating func set(_ name: String, _ value: String) throws(KafkaError) {
        if let reason = Self.protected[name] {
            throw KafkaError(RD_KAFKA_RESP_ERR__INVALID_ARG, "the property \"\(name)\" cannot be set: \(reason)")
        }
        if Self.deliveryTimeouts.contains(name), Int(value) == 0 {
            throw KafkaError(
                RD_KAFKA_RESP_ERR__INVALID_ARG, "the property \"\(name)\" cannot be 0: a delivery must end at some time"
            )
        }
        guard let conf = rd_kafka_conf_new() else { throw KafkaError(RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE) }
        defer { rd_kafka_conf_destroy(conf) }
        try Self.set(name, value, on: conf)
        properties[name] = value
    }

    /// Sets a property given as `name=value`, as after `-X` of kcat.
    public mutating func set(assignment: String) throws(KafkaError) {
        guard let equals = assignment.firstIndex(of: "="), equals != assignment.startIndex else {
            // What follows the name may be a secret.
            let name = assignment.prefix { $0.isLetter || $0.isNumber || $0 == "." || $0 == "_" }
            throw KafkaError(
                RD_KAFKA_RESP_ERR__INVALID_ARG, "a property is given as NAME=VALUE; there is no \"=\" after \"\(name)\""
            )
        }
        try set(
            String(assignment[..<equals].trimming()), String(assignment[assignment.index(after: equals)...].trimming()))
    }

    /// Sets the properties of a file in kcat's format: a `name=value` on each line, empty lines, comments after `#`.
    /// - Parameters:
    ///   - text: what is in the file.
    ///   - file: its name, for errors.
    public mutating func load(_ text: String, file: String) throws(KafkaError) {
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let line = line.trimming()
            if line.isEmpty || line.hasPrefix("#") { continue }
            do { try set(assignment: String(line)) } catch {
                throw KafkaError(RD_KAFKA_RESP_ERR__INVALID_ARG, "\(file), line \(index + 1): \(error.message)")
            }
        }
    }

    /// The properties in order, with stars for secrets.
    public var masked: [(name: String, value: String)] {
        properties.sorted { $0.key < $1.key }.map { ($0.key, Self.isSecret($0.key) ? "***" : $0.value) }
    }

    /// The name and version of the library, such as `librdkafka 2.0.2`.
    public static var libraryVersion: String { "librdkafka " + String(cString: rd_kafka_version_str()) }

    // MARK: For the clients

    /// Makes the library's configuration: `defaults`, over them the properties, over them what `fixed` says.
    func conf(
        defaults: [(String, String)], fixed: [(String, String)]
    ) throws(KafkaError) -> OpaquePointer {
        guard let conf = rd_kafka_conf_new() else { throw KafkaError(RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE) }
        do {
            for (name, value) in defaults { try Self.set(name, value, on: conf) }
            // In order, so that of two names of one property always the same wins.
            for (name, value) in properties.sorted(by: { $0.key < $1.key }) { try Self.set(name, value, on: conf) }
            for (name, value) in fixed { try Self.set(name, value, on: conf) }
        } catch {
            rd_kafka_conf_destroy(conf)
            throw error
        }
        return conf
    }

    /// `text` with stars in place of each secret.
    func scrubbing(_ text: String) -> String {
        var text = text
        // A very short one would shred the text and cannot be told from chance.
        for (name, value) in properties where Self.isSecret(name) && value.count > 2 {
            text.replace(value, with: "***")
        }
        return text
    }

    /// Whether the value of a property must not be shown. The library has such a mark as well, but gives no access to it.
    static func isSecret(_ name: String) -> Bool {
        ["password", "secret", ".pem", "sasl.username", "oauthbearer.config", "ssl.key"].contains { name.contains($0) }
    }

    private static func set(_ name: String, _ value: String, on conf: OpaquePointer) throws(KafkaError) {
        var words = [CChar](repeating: 0, count: 512)
        guard rd_kafka_conf_set(conf, name, value, &words, words.count) != RD_KAFKA_CONF_OK else { return }
        var text = String(nullTerminated: words)
        if isSecret(name), !value.isEmpty { text.replace(value, with: "***") }
        throw KafkaError(RD_KAFKA_RESP_ERR__INVALID_ARG, text)
    }

    private static let deliveryTimeouts: Set = ["message.timeout.ms", "delivery.timeout.ms"]

    /// By name, with the reason; aliases are names too.
    private static let protected: [String: String] = {
        let done = "an offset is stored only when its message is done"
        let once = "messages are sent idempotently and acknowledged by all replicas"
        let assignment = "the group's assignment is eager, by range or roundrobin"
        let reports = "each message's delivery report is awaited"
        let client = "the client decides it by itself"
        return [
            "enable.auto.commit": done, "auto.commit.enable": done, "enable.auto.offset.store": done,
            "auto.offset.reset": "a new group starts with the oldest message, so that none is missed",
            "enable.idempotence": once, "acks": once, "request.required.acks": once,
            "transactional.id": "transactions are not used",
            "partition.assignment.strategy": assignment, "group.protocol": assignment,
            "group.remote.assignor": assignment,
            "group.id": "the group is named by itself",
            "delivery.report.only.error": reports, "enable.partition.eof": client, "log.queue": client,
            "enabled_events": client, "enable.random.seed": client,
        ]
    }()
}

extension KafkaConfiguration: CustomStringConvertible, CustomReflectable {
    public var description: String { masked.map { "\($0.name)=\($0.value)" }.joined(separator: " ") }
    /// What `dump` and test failures show.
    public var customMirror: Mirror { Mirror(self, children: masked.map { ($0.name, $0.value) }) }
}

extension String {
    /// The text of a C string in a buffer.
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
