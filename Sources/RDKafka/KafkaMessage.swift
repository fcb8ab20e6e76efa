/// One partition of a topic.
public struct KafkaPartition: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Its topic.
    public var topic: String
    /// Its number in the topic, from 0.
    public var number: Int32

    public init(topic: String, number: Int32) {
        self.topic = topic
        self.number = number
    }

    public var description: String { "\(topic) [\(number)]" }

    public static func < (one: KafkaPartition, other: KafkaPartition) -> Bool {
        (one.topic, one.number) < (other.topic, other.number)
    }
}

/// A header of a message. A name may occur more than once.
public struct KafkaHeader: Sendable, Hashable {
    /// Name of the header.
    public var name: String
    /// Nil is distinct from empty.
    public var value: [UInt8]?

    public init(_ name: String, _ value: [UInt8]?) {
        self.name = name
        self.value = value
    }

    /// A header with text.
    public init(_ name: String, _ value: String) { self.init(name, Array(value.utf8)) }

    /// The value as UTF-8; nil if the header has none.
    public var text: String? { value.map { String(decoding: $0, as: UTF8.self) } }
}

/// A message to send. The key selects the partition; messages with the same key keep their order.
public struct KafkaRecord: Sendable, Hashable {
    /// The topic it goes to.
    public var topic: String
    /// The key, which decides the partition.
    public var key: [UInt8]?
    /// Nil is legal and distinct from empty: it deletes the key from a compacted topic.
    public var payload: [UInt8]?
    /// Headers, in order.
    public var headers: [KafkaHeader]

    public init(topic: String, key: [UInt8]? = nil, payload: [UInt8]?, headers: [KafkaHeader] = []) {
        self.topic = topic
        self.key = key
        self.payload = payload
        self.headers = headers
    }

    /// A record of text.
    public init(topic: String, key: String?, payload: String?, headers: [KafkaHeader] = []) {
        self.init(
            topic: topic, key: key.map { Array($0.utf8) }, payload: payload.map { Array($0.utf8) }, headers: headers)
    }
}

/// The location of a sent message.
public struct KafkaReceipt: Sendable, Hashable {
    /// Where the record is.
    public var partition: KafkaPartition
    /// Its offset there.
    public var offset: Int64
}

/// A received message.
public struct KafkaMessage: Sendable, Hashable {
    /// Where the message was.
    public var partition: KafkaPartition
    /// Its offset there.
    public var offset: Int64
    /// The number of the consumer's assignment. If it changes, the partition was revoked in between.
    public var generation: Int
    /// Its key.
    public var key: [UInt8]?
    /// Its value; nil for a tombstone.
    public var payload: [UInt8]?
    /// Its headers, in order.
    public var headers: [KafkaHeader]
    /// Milliseconds since 1970 UTC, from the producer's or the broker's clock as the topic is configured.
    public var timestamp: Int64?

    /// Its topic.
    public var topic: String { partition.topic }

    /// The value of the first header with this name, as text.
    public func header(_ name: String) -> String? { headers.first { $0.name == name }?.text }

    /// Size in bytes, without fields of constant size.
    var size: Int {
        (key?.count ?? 0) + (payload?.count ?? 0)
            + headers.reduce(0) { $0 + $1.name.utf8.count + ($1.value?.count ?? 0) }
    }
}

/// A line of librdkafka's log.
public struct KafkaLogLine: Sendable, Hashable {
    /// Syslog level: 0 emergency … 3 error, 4 warning, 6 info, 7 debug.
    public var level: Int
    /// For example `FAIL` or `REQTMOUT`.
    public var facility: String
    /// The message, with secrets masked.
    public var text: String
}

/// Receives log lines on librdkafka's threads. It must return quickly and must not call the client.
public typealias KafkaLogHandler = @Sendable (KafkaLogLine) -> Void
