public import ClairoCore
internal import RDKafka

/// The pipeline's topics and groups in numbers, at one moment.
public struct KafkaQueueMetrics: Sendable, Hashable {
    public struct Partition: Sendable, Hashable {
        public var topic: String
        public var number: Int
        /// The oldest message that there is, and where the next one will be.
        public var oldest: Int64
        public var end: Int64
    }

    public struct Progress: Sendable, Hashable {
        public var group: String
        public var topic: String
        public var partition: Int
        /// Where the group goes on; nil where it has never committed.
        public var committed: Int64?
        /// Messages that the group has not done.
        public var lag: Int64
    }

    public var brokers: Int
    /// Partitions by topic.
    public var topics: [String: Int]
    public var partitions: [Partition]
    public var progress: [Progress]
}

extension KafkaQueue {
    /// The pipeline's consumer groups and what each of them reads.
    public static let groups = ["clairo-plan": Topic.uploads, "clairo-work": Topic.tasks]

    private static let surveyLimit = Duration.seconds(8)

    public func figures() async throws(ClairoError) -> KafkaQueueMetrics {
        let admin = KafkaAdmin(configuration, limit: Self.surveyLimit)
        do throws(KafkaError) {
            let survey = try await admin.survey(topics: Topic.all)
            var figures = KafkaQueueMetrics(
                brokers: survey.brokers,
                topics: Dictionary(uniqueKeysWithValues: survey.topics.map { ($0.name, $0.partitions) }),
                partitions: survey.offsets.map { partition, range in
                    KafkaQueueMetrics.Partition(
                        topic: partition.topic, number: Int(partition.number), oldest: range.lowerBound,
                        end: range.upperBound)
                }, progress: [])
            for (group, topic) in Self.groups {
                let offsets = survey.offsets.filter { $0.key.topic == topic }
                let committed = try await admin.committed(by: group, in: offsets.keys.sorted())
                figures.progress += offsets.map { partition, range in
                    let done = committed[partition]
                    return KafkaQueueMetrics.Progress(
                        group: group, topic: topic, partition: Int(partition.number), committed: done,
                        lag: max(0, range.upperBound - max(range.lowerBound, done ?? range.lowerBound)))
                }
            }
            return figures
        } catch {
            throw ClairoError(error, doing: "Asking Kafka for offsets")
        }
    }

    /// Members of the pipeline's groups, by group.
    public func memberCounts() async throws(ClairoError) -> [String: Int] {
        let admin = KafkaAdmin(configuration, limit: Self.surveyLimit)
        var counts: [String: Int] = [:]
        do throws(KafkaError) {
            for group in Self.groups.keys { counts[group] = try await admin.members(of: group) }
        } catch {
            throw ClairoError(error, doing: "Asking Kafka for the members of groups")
        }
        return counts
    }
}
