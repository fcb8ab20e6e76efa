internal import CRDKafka

/// Owns a librdkafka list of partitions with offsets.
final class PartitionList {
    private let pointer: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>

    init(_ partitions: [KafkaPartition] = []) {
        pointer = rd_kafka_topic_partition_list_new(Int32(partitions.count))
        for partition in partitions { add(partition) }
    }

    deinit { rd_kafka_topic_partition_list_destroy(pointer) }

    func add(_ partition: KafkaPartition, offset: Int64? = nil) {
        let element = rd_kafka_topic_partition_list_add(pointer, partition.topic, partition.number)
        if let offset { element?.pointee.offset = offset }
    }

    /// Lends the list to a call, which may write offsets and errors into it.
    @discardableResult
    func lend<R>(_ body: (UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) -> R) -> R {
        withExtendedLifetime(self) { body(pointer) }
    }

    var elements: [(partition: KafkaPartition, offset: Int64, error: rd_kafka_resp_err_t)] {
        Self.elements(UnsafePointer(pointer))
    }

    /// The elements of a list owned by librdkafka.
    static func elements(
        _ list: UnsafePointer<rd_kafka_topic_partition_list_t>
    ) -> [(partition: KafkaPartition, offset: Int64, error: rd_kafka_resp_err_t)] {
        UnsafeBufferPointer(start: list.pointee.elems, count: Int(list.pointee.cnt)).map { element in
            (
                KafkaPartition(topic: String(cString: element.topic), number: element.partition), element.offset,
                element.err
            )
        }
    }
}
