internal import CRDKafka
internal import Foundation

/// A Kafka cluster for tests: librdkafka's mock brokers on ports of the loopback address, usable by any client and
/// process.
///
///     clairo-mock-kafka [BROKERS]
///
/// The first line of the output lists the brokers. After that, the tool executes one command per line of its input, and
/// replies to each with `ok`, or with `error` and a reason. It ends at the end of the input. Brokers are numbered from
/// 1; 0 or `all` means all of them where that makes sense. APIs and errors are numbers of the protocol
/// (https://kafka.apache.org/protocol). Errors may also be librdkafka's own (-195 cuts the connection).
///
///     topic NAME PARTITIONS REPLICATION    create a topic
///     topic-error NAME CODE                fail requests about the topic (0: stop failing them)
///     errors API CODE[,CODE…]              fail the next requests of this kind to any broker
///     broker-errors BROKER API CODE:MILLISECONDS[,…]   delay and fail the next requests to a broker (0: only delay)
///     clear-errors API                     remove the cluster's errors for this kind
///     rtt BROKER MILLISECONDS              set the round-trip time
///     down BROKER                          close its connections and accept no new ones; leaders stay
///     up BROKER
///     leader TOPIC PARTITION BROKER        -1 for none
///     follower TOPIC PARTITION BROKER      announce it to consumers as the preferred replica
///     coordinator group|transaction KEY BROKER
///     api-versions API LOWEST HIGHEST      -1 -1 for none
///
/// Differences between the cluster of librdkafka 2.0.2 and Kafka:
/// - A topic is created as soon as a client requests it by name, wanted or not, with 4 partitions and at most 3
///   replicas. CreateTopics (clients wait for a controller until they time out; see `KafkaController`), DeleteTopics
///   and DescribeGroups do not exist.
/// - A partition keeps its last 5 MiB and 100 000 batches in memory, regardless of time. Older batches are dropped, and
///   a consumer that has not read them restarts at the offset of `auto.offset.reset`.
/// - It does not check sequence numbers of idempotent producers, only of transactional ones: if a reply is lost or late
///   and the batch was appended, it creates a duplicate that Kafka would prevent. An injected error appends nothing;
///   but if it cuts the connection, requests in flight behind it are appended and get no reply.
/// - A fetch without data is answered only after `fetch.wait.max.ms`, even if a message arrives meanwhile. Kafka
///   replies at once.
/// - A group's first rebalance takes 3 s, later ones the session timeout minus one second. `group.instance.id` is not
///   supported. All members must list the same assignors first.
/// - Coordinators and leaders move only on command, and keep their state. A stopped broker keeps both.
/// - There is no TLS, SASL, ACL, quota or log compaction.
@main
struct ClairoMockKafka {
    static func main() {
        let count = CommandLine.arguments.count > 1 ? Int32(CommandLine.arguments[1]) : 1
        guard let count, count > 0 else {
            FileHandle.standardError.write(Data("usage: clairo-mock-kafka [BROKERS]\n".utf8))
            exit(64)
        }
        var words = [CChar](repeating: 0, count: 512)
        guard let client = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), &words, words.count),
            let cluster = rd_kafka_mock_cluster_new(client, count),
            let brokers = rd_kafka_mock_cluster_bootstraps(cluster)
        else { exit(70) }
        reply(String(cString: brokers))
        while let line = readLine() {
            do {
                try obey(line, cluster, brokers: count)
                reply("ok")
            } catch {
                reply("error \(error)")
            }
        }
        rd_kafka_mock_cluster_destroy(cluster)
        rd_kafka_destroy(client)
    }

    /// Unbuffered, because the reader waits for it.
    private static func reply(_ line: String) { FileHandle.standardOutput.write(Data("\(line)\n".utf8)) }

    struct Refusal: Error, CustomStringConvertible {
        var description: String
    }

    private static func obey(_ line: String, _ cluster: OpaquePointer, brokers: Int32) throws {
        let words = line.split(separator: " ").map(String.init)
        func number<N: FixedWidthInteger>(_ index: Int, _: N.Type = N.self) throws -> N {
            if words[index] == "all" { return 0 }
            guard let number = N(words[index]) else { throw Refusal(description: "\(words[index]) is no number") }
            return number
        }
        func broker(_ index: Int) throws -> Int32 {
            let number: Int32 = try number(index)
            return number == 0 ? -1 : number
        }
        switch (words.first, words.count) {
        case ("topic", 4):
            try check(rd_kafka_mock_topic_create(cluster, words[1], try number(2), try number(3)))
        case ("topic-error", 3):
            rd_kafka_mock_topic_set_error(cluster, words[1], rd_kafka_resp_err_t(try number(2, Int32.self)))
        case ("errors", 3):
            let codes = try words[2].split(separator: ",").map { code in
                guard let code = Int32(code) else { throw Refusal(description: "\(code) is no number") }
                return rd_kafka_resp_err_t(code)
            }
            rd_kafka_mock_push_request_errors_array(cluster, try number(1), codes.count, codes)
        case ("broker-errors", 4):
            let ids = try number(1, Int32.self) == 0 ? Array(1...brokers) : [try number(1)]
            for item in words[3].split(separator: ",") {
                let parts = item.split(separator: ":").map { Int32($0) }
                guard parts.count == 2, let code = parts[0], let delay = parts[1] else {
                    throw Refusal(description: "\(item) is not CODE:MILLISECONDS")
                }
                for id in ids {
                    try check(
                        clairo_rd_kafka_mock_push(cluster, id, try number(2), rd_kafka_resp_err_t(code), delay))
                }
            }
        case ("clear-errors", 2): rd_kafka_mock_clear_request_errors(cluster, try number(1))
        case ("rtt", 3): try check(rd_kafka_mock_broker_set_rtt(cluster, try broker(1), try number(2)))
        case ("down", 2): try check(rd_kafka_mock_broker_set_down(cluster, try broker(1)))
        case ("up", 2): try check(rd_kafka_mock_broker_set_up(cluster, try broker(1)))
        case ("leader", 4):
            try check(rd_kafka_mock_partition_set_leader(cluster, words[1], try number(2), try number(3)))
        case ("follower", 4):
            try check(rd_kafka_mock_partition_set_follower(cluster, words[1], try number(2), try number(3)))
        case ("coordinator", 4):
            try check(rd_kafka_mock_coordinator_set(cluster, words[1], words[2], try number(3)))
        case ("api-versions", 4):
            try check(rd_kafka_mock_set_apiversion(cluster, try number(1), try number(2), try number(3)))
        default: throw Refusal(description: "unknown command: \(line)")
        }
    }

    private static func check(_ code: rd_kafka_resp_err_t) throws {
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            throw Refusal(description: String(cString: rd_kafka_err2str(code)))
        }
    }
}
