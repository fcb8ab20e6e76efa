internal import ClairoCore
internal import ClairoMessaging
internal import ClairoPipeline

/// The message queue, and the relay from the outbox to it.
extension Services {
    /// - Parameter leaseSeconds: How long messages of a dead consumer stay leased.
    func queue(_ metadata: any MetadataStore, leaseSeconds: Double = 30) throws(ClairoError) -> any MessageQueue {
        try kafkaQueue() ?? LocalQueue(records: metadata, leaseSeconds: leaseSeconds)
    }

    /// Nil if the queue is `local:`.
    func kafkaQueue() throws(ClairoError) -> KafkaQueue? {
        if hasLocalQueue {
            guard kafkaProperties.isEmpty, settings.value(.kafkaConfig) == nil else {
                throw .usage(
                    "Properties of librdkafka (-X, kafka-config) are given, but the queue is local:",
                    advice: "Name the brokers with --queue kafka://BROKER or CLAIRO_QUEUE.")
            }
            return nil
        }
        return try KafkaQueue(
            url: settings[.queue], properties: kafkaProperties, file: settings.value(.kafkaConfig),
            log: { text in log?.warn(text) ?? environment.error("\(Render.printable(text))\n") })
    }

    /// Whether the queue is a table of the database, so that consumers relay the outbox themselves.
    var hasLocalQueue: Bool { settings[.queue] == "local:" }

    func relay(_ metadata: any MetadataStore, _ producer: any MessageProducer) throws(ClairoError) -> Relay {
        Relay(metadata: metadata, producer: producer, webhook: try webhook(), owner: Self.processName)
    }
}
