internal import Foundation

/// Statistics of a client and its brokers, which librdkafka emits every `statistics.interval.ms`. Source:
/// https://github.com/confluentinc/librdkafka/blob/v2.0.2/STATISTICS.md
public struct KafkaStatistics: Sendable, Hashable {
    /// A broker as the client sees it.
    public struct Broker: Sendable, Hashable {
        /// `host:port/id`. Bootstrap brokers have the id `bootstrap`.
        public var name: String
        /// For example `UP`, `DOWN`, `CONNECT` or `INIT`.
        public var state: String
        /// Requests waiting to be sent.
        public var queuedRequests: Int
        /// Requests waiting for a reply.
        public var requestsInFlight: Int
        /// The mean round-trip time of requests in seconds, or nil without requests.
        public var meanRoundTrip: Double?
        /// The 99th percentile of round-trip times in seconds, or nil without requests.
        public var slowRoundTrip: Double?
    }

    /// A partition that the client reads.
    public struct Partition: Sendable, Hashable {
        /// The partition.
        public var partition: KafkaPartition
        /// The offset after the newest message at the last fetch. Not updated while the partition is not fetched.
        public var highWatermark: Int64?
        /// The oldest available offset.
        public var oldestOffset: Int64?
        /// The offset that the group has committed, or nil if there is none.
        public var committedOffset: Int64?
        /// The next offset to be committed.
        public var storedOffset: Int64?

        /// The number of messages that are not done, or nil if unknown. This is not librdkafka's `consumer_lag`, which
        /// counts a message as consumed once librdkafka has delivered it.
        public var lag: Int64? {
            let done = [committedOffset, storedOffset, oldestOffset].compactMap { $0 }.max()
            return highWatermark.flatMap { high in done.map { max(0, high - $0) } }
        }
    }

    /// The brokers that the client knows.
    public var brokers: [Broker]
    /// The consumed partitions. Empty for a producer.
    public var partitions: [Partition]
    /// Messages of a producer that have no delivery report yet.
    public var unsentMessages: Int
    /// Bytes sent to all brokers since the client was created.
    public var bytesSent: Int64
    /// Bytes received from all brokers since the client was created.
    public var bytesReceived: Int64
}

extension KafkaStatistics {
    /// Parses librdkafka's JSON document. Returns nil if it has another form.
    init?(json: UnsafeRawBufferPointer) {
        guard let raw = try? JSONDecoder().decode(Raw.self, from: Data(json)) else { return nil }
        brokers = raw.brokers.values.map { broker in
            Broker(
                name: broker.name, state: broker.state, queuedRequests: broker.outbuf_cnt,
                requestsInFlight: broker.waitresp_cnt, meanRoundTrip: broker.rtt?.mean, slowRoundTrip: broker.rtt?.slow)
        }
        .sorted { $0.name < $1.name }
        partitions = (raw.topics ?? [:]).values.flatMap { topic in
            topic.partitions.values.compactMap { Partition(topic: topic.topic, $0) }
        }
        .sorted { $0.partition < $1.partition }
        unsentMessages = raw.msg_cnt ?? 0
        bytesSent = raw.tx_bytes ?? 0
        bytesReceived = raw.rx_bytes ?? 0
    }

    /// librdkafka's JSON document, with its field names.
    fileprivate struct Raw: Decodable {
        struct Window: Decodable {
            var avg: Double
            var p99: Double
            var cnt: Int

            // librdkafka reports microseconds.
            var mean: Double? { cnt > 0 ? avg / 1e6 : nil }
            var slow: Double? { cnt > 0 ? p99 / 1e6 : nil }
        }

        struct Broker: Decodable {
            var name: String
            var state: String
            var outbuf_cnt: Int
            var waitresp_cnt: Int
            var rtt: Window?
        }

        struct Topic: Decodable {
            var topic: String
            var partitions: [String: Partition]
        }

        struct Partition: Decodable {
            var partition: Int32
            var fetch_state: String?
            var lo_offset: Int64
            var hi_offset: Int64
            var committed_offset: Int64
            var stored_offset: Int64
        }

        var brokers: [String: Broker]
        var topics: [String: Topic]?
        var msg_cnt: Int?
        var tx_bytes: Int64?
        var rx_bytes: Int64?
    }
}

extension KafkaStatistics.Partition {
    /// Returns nil for partitions that the client does not consume. Partition -1 is librdkafka's internal one.
    fileprivate init?(topic: String, _ raw: KafkaStatistics.Raw.Partition) {
        guard raw.partition >= 0, raw.fetch_state == "active" else { return nil }
        func known(_ offset: Int64) -> Int64? { offset >= 0 ? offset : nil }
        partition = KafkaPartition(topic: topic, number: raw.partition)
        highWatermark = known(raw.hi_offset)
        oldestOffset = known(raw.lo_offset)
        committedOffset = known(raw.committed_offset)
        storedOffset = known(raw.stored_offset)
    }
}
