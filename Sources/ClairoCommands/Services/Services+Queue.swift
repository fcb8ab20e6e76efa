internal import ClairoCore
internal import ClairoMessaging
internal import ClairoPipeline
internal import Foundation

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
            url: settings[.queue], properties: kafkaProperties, file: settings.value(.kafkaConfig), clientID: clientID,
            log: { text in log?.warn(text) ?? environment.error("\(Render.printable(text))\n") })
    }

    /// The name of this process in the brokers' logs, metrics and quotas, such as `clairo-consume@host-42`.
    private var clientID: String {
        let program = environment.command.isEmpty ? "clairo" : "clairo-\(environment.command)"
        return "\(program)@\(ProcessInfo.processInfo.hostName)-\(ProcessInfo.processInfo.processIdentifier)"
    }

    /// Whether the queue is a table of the database, so that consumers relay the outbox themselves.
    var hasLocalQueue: Bool { settings[.queue] == "local:" }

    func relay(_ metadata: any MetadataStore, _ producer: any MessageProducer) throws(ClairoError) -> Relay {
        Relay(metadata: metadata, producer: producer, webhook: try webhook(), owner: Self.processName)
    }
}
