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
    /// The name of the header.
    public var name: String
    /// The value. Nil is distinct from empty.
    public var value: [UInt8]?

    public init(_ name: String, _ value: [UInt8]?) {
        self.name = name
        self.value = value
    }

    /// Creates a header with a text value.
    public init(_ name: String, _ value: String) { self.init(name, Array(value.utf8)) }

    /// The value decoded as UTF-8, or nil if there is none.
    public var text: String? { value.map { String(decoding: $0, as: UTF8.self) } }
}

/// A message to send. The key selects the partition; messages with the same key keep their order.
public struct KafkaRecord: Sendable, Hashable {
    /// The topic to send to.
    public var topic: String
    /// The key, which selects the partition. Without a key, librdkafka selects one.
    public var key: [UInt8]?
    /// The value. Nil (a tombstone) is distinct from empty: it deletes the key from a compacted topic.
    public var payload: [UInt8]?
    /// The headers, in order.
    public var headers: [KafkaHeader]

    public init(topic: String, key: [UInt8]? = nil, payload: [UInt8]?, headers: [KafkaHeader] = []) {
        self.topic = topic
        self.key = key
        self.payload = payload
        self.headers = headers
    }

    /// Creates a record with a text key and a text payload.
    public init(topic: String, key: String?, payload: String?, headers: [KafkaHeader] = []) {
        self.init(
            topic: topic, key: key.map { Array($0.utf8) }, payload: payload.map { Array($0.utf8) }, headers: headers)
    }
}

/// The location of a sent message.
public struct KafkaReceipt: Sendable, Hashable {
    /// The partition of the message.
    public var partition: KafkaPartition
    /// The offset in the partition.
    public var offset: Int64
}

/// A received message.
public struct KafkaMessage: Sendable, Hashable {
    /// The partition of the message.
    public var partition: KafkaPartition
    /// The offset in the partition.
    public var offset: Int64
    /// The number of the assignment in which the consumer received the message. If a later copy of the message has
    /// another number, the partition was revoked in between.
    public var generation: Int
    /// Its key.
    public var key: [UInt8]?
    /// Its value; nil for a tombstone.
    public var payload: [UInt8]?
    /// Its headers, in order.
    public var headers: [KafkaHeader]
    /// Milliseconds since 1970 UTC, by the producer's or the broker's clock, depending on the topic's configuration.
    public var timestamp: Int64?

    /// Its topic.
    public var topic: String { partition.topic }

    /// The value of the first header with this name, as text.
    public func header(_ name: String) -> String? { headers.first { $0.name == name }?.text }

    /// The size of key, payload and headers in bytes.
    var size: Int {
        (key?.count ?? 0) + (payload?.count ?? 0)
            + headers.reduce(0) { $0 + $1.name.utf8.count + ($1.value?.count ?? 0) }
    }
}

/// A line of librdkafka's log.
public struct KafkaLogLine: Sendable, Hashable {
    /// The syslog level: 0 emergency … 3 error, 4 warning, 6 info, 7 debug.
    public var level: Int
    /// For example `FAIL` or `REQTMOUT`.
    public var facility: String
    /// The message, with secrets masked.
    public var text: String

    public init(level: Int, facility: String, text: String) {
        self.level = level
        self.facility = facility
        self.text = text
    }
}

/// Receives log lines on librdkafka's threads. It must return quickly and must not call the client.
public typealias KafkaLogHandler = @Sendable (KafkaLogLine) -> Void
