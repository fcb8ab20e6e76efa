public import ClairoCore
internal import RDKafka

/// A snapshot of the pipeline's topics and consumer groups.
public struct KafkaQueueMetrics: Sendable, Hashable {
    /// A partition and its offsets.
    public struct Partition: Sendable, Hashable {
        /// Its topic.
        public var topic: String
        /// Its number in the topic.
        public var number: Int
        /// The oldest available offset.
        public var oldest: Int64
        /// The next offset to be written.
        public var end: Int64
    }

    /// The progress of a consumer group in a partition.
    public struct Progress: Sendable, Hashable {
        /// The consumer group.
        public var group: String
        /// The topic.
        public var topic: String
        /// The partition.
        public var partition: Int
        /// The committed offset, or nil if the group has never committed.
        public var committed: Int64?
        /// The number of messages that the group has not finished.
        public var lag: Int64
    }

    /// The number of brokers.
    public var brokers: Int
    /// The number of partitions of each topic.
    public var topics: [String: Int]
    /// All partitions of the pipeline's topics.
    public var partitions: [Partition]
    /// The progress of the pipeline's consumer groups, per partition.
    public var progress: [Progress]
}

extension KafkaQueue {
    /// The pipeline's consumer groups, each with the topic that it reads.
    public static let groups = ["clairo-plan": Topic.uploads, "clairo-work": Topic.tasks]

    /// The limit of a survey. If librdkafka hangs in one, the next one fails at once.
    private static let surveyLimit = Duration.seconds(8)

    /// Queries the cluster for partitions, offsets and the progress of the groups.
    public func metrics() async throws(ClairoError) -> KafkaQueueMetrics {
        let end = ContinuousClock.now + Self.surveyLimit
        var permission = KafkaPermission(operation: .describe, topics: Topic.all)
        do throws(KafkaError) {
            let cluster = try await admin.limited(to: Self.surveyLimit).inspect(topics: Topic.all)
            var metrics = KafkaQueueMetrics(
                brokers: cluster.brokers,
                topics: Dictionary(uniqueKeysWithValues: cluster.topics.map { ($0.name, $0.partitions) }),
                partitions: cluster.offsets.map { partition, range in
                    KafkaQueueMetrics.Partition(
                        topic: partition.topic, number: Int(partition.number), oldest: range.lowerBound,
                        end: range.upperBound)
                }, progress: [])
            for (group, topic) in Self.groups {
                permission.group = group
                let offsets = cluster.offsets.filter { $0.key.topic == topic }
                let committed = try await admin.limited(to: end - .now).committed(
                    by: group, in: offsets.keys.sorted())
                metrics.progress += offsets.map { partition, range in
                    let done = committed[partition]
                    return KafkaQueueMetrics.Progress(
                        group: group, topic: topic, partition: Int(partition.number), committed: done,
                        lag: max(0, range.upperBound - max(range.lowerBound, done ?? range.lowerBound)))
                }
            }
            return metrics
        } catch {
            throw ClairoError(error, doing: "Reading offsets from Kafka", needing: permission)
        }
    }

    /// The number of members of each consumer group.
    public func memberCounts() async throws(ClairoError) -> [String: Int] {
        let end = ContinuousClock.now + Self.surveyLimit
        var permission = KafkaPermission(operation: .describe)
        var counts: [String: Int] = [:]
        do throws(KafkaError) {
            for group in Self.groups.keys {
                permission.group = group
                counts[group] = try await admin.limited(to: end - .now).members(of: group)
            }
        } catch {
            throw ClairoError(error, doing: "Reading group members from Kafka", needing: permission)
        }
        return counts
    }
}
