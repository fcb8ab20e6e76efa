internal import Foundation

/// What a client knows of itself and of its brokers, as often as `statistics.interval.ms` says.
/// Source: https://github.com/confluentinc/librdkafka/blob/v2.0.2/STATISTICS.md
public struct KafkaStatistics: Sendable, Hashable {
    public struct Broker: Sendable, Hashable {
        /// `host:port/id`; seeds have `bootstrap` for their id.
        public var name: String
        /// Such as `UP`, `DOWN`, `CONNECT`, `INIT`.
        public var state: String
        /// Requests that wait to be sent.
        public var queuedRequests: Int
        /// Requests that wait for their answer.
        public var requestsInFlight: Int
        /// The mean and the 99th percentile of a request's round trip, in seconds; nil where there was none.
        public var meanRoundTrip: Double?
        public var slowRoundTrip: Double?
    }

    public struct Partition: Sendable, Hashable {
        public var partition: KafkaPartition
        /// Where the newest message was at the last fetch, plus one. It stands still while a partition is not fetched.
        public var highWatermark: Int64?
        /// The oldest message that there is.
        public var oldestOffset: Int64?
        public var committedOffset: Int64?
        /// What will be committed next.
        public var storedOffset: Int64?

        /// Messages that are not done yet; nil where it is not known. The library's own `consumer_lag` takes a message for
        /// consumed as soon as it has left the library.
        public var lag: Int64? {
            let done = [committedOffset, storedOffset, oldestOffset].compactMap { $0 }.max()
            return highWatermark.flatMap { high in done.map { max(0, high - $0) } }
        }
    }

    public var brokers: [Broker]
    /// Those that the client consumes. A producer has none.
    public var partitions: [Partition]
    /// Messages of a producer without a delivery report.
    public var unsentMessages: Int
    /// Bytes sent and received since the client was made.
    public var bytesSent: Int64
    public var bytesReceived: Int64
}

extension KafkaStatistics {
    /// Nil where it is not JSON of this kind.
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

    /// With the names of the document.
    fileprivate struct Raw: Decodable {
        struct Window: Decodable {
            var avg: Double
            var p99: Double
            var cnt: Int

            // In microseconds.
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
            var desired: Bool?
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
    /// Nil for partitions that the client does not consume; -1 stands for none of a topic's.
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
