/// One partition of a topic.
public struct KafkaPartition: Sendable, Hashable, Comparable, CustomStringConvertible {
    public var topic: String
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

/// A named value beside a message. The same name may occur more than once.
public struct KafkaHeader: Sendable, Hashable {
    public var name: String
    /// Null is not the same as empty.
    public var value: [UInt8]?

    public init(_ name: String, _ value: [UInt8]?) {
        self.name = name
        self.value = value
    }

    public init(_ name: String, _ value: String) { self.init(name, Array(value.utf8)) }

    public var text: String? { value.map { String(decoding: $0, as: UTF8.self) } }
}

/// A message to be sent. Its key decides the partition: messages with the same key keep their order.
public struct KafkaRecord: Sendable, Hashable {
    public var topic: String
    public var key: [UInt8]?
    /// Null is legal and not the same as empty: it deletes the key from a compacted topic.
    public var payload: [UInt8]?
    public var headers: [KafkaHeader]

    public init(topic: String, key: [UInt8]? = nil, payload: [UInt8]?, headers: [KafkaHeader] = []) {
        self.topic = topic
        self.key = key
        self.payload = payload
        self.headers = headers
    }

    public init(topic: String, key: String?, payload: String?, headers: [KafkaHeader] = []) {
        self.init(
            topic: topic, key: key.map { Array($0.utf8) }, payload: payload.map { Array($0.utf8) }, headers: headers)
    }
}

/// Where a message that was sent lies now.
public struct KafkaReceipt: Sendable, Hashable {
    public var partition: KafkaPartition
    public var offset: Int64
}

/// A message that was received.
public struct KafkaMessage: Sendable, Hashable {
    public var partition: KafkaPartition
    public var offset: Int64
    /// Counts the assignments of the consumer that gave it: another one means that the partition was away in between.
    public var generation: Int
    public var key: [UInt8]?
    public var payload: [UInt8]?
    public var headers: [KafkaHeader]
    /// Milliseconds since 1970 in UTC, by the producer's or the broker's clock as the topic says.
    public var timestamp: Int64?

    public var topic: String { partition.topic }

    /// The first header with the name, as text.
    public func header(_ name: String) -> String? { headers.first { $0.name == name }?.text }

    /// Without the fields of constant size.
    var size: Int {
        (key?.count ?? 0) + (payload?.count ?? 0)
            + headers.reduce(0) { $0 + $1.name.utf8.count + ($1.value?.count ?? 0) }
    }
}

/// A line of librdkafka's log.
public struct KafkaLogLine: Sendable, Hashable {
    /// As of syslog: 0 emergency … 3 error, 4 warning, 6 information, 7 debug.
    public var level: Int
    /// Such as `FAIL` or `REQTMOUT`.
    public var facility: String
    /// Without secrets of the configuration.
    public var text: String
}

/// Takes lines of the log. It is called on threads of the library: it must be quick and must not call the client.
public typealias KafkaLogHandler = @Sendable (KafkaLogLine) -> Void
