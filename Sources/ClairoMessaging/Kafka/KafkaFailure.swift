internal import ClairoCore
internal import RDKafka

extension ClairoError {
    /// What follows from Kafka's trouble for whoever sends or receives.
    init(_ error: KafkaError, doing action: String) {
        let text = "\(action): \(error.message)"
        self =
            switch error.category {
            case .unreachable, .tls:
                .unavailable(text, advice: "Check the brokers in the setting queue, and the network between.")
            case .timeout, .unavailable, .group, .closed: .temporary(text)
            case .unknownTopic: .temporary(text, advice: "clairo produce makes the topics, where it may.")
            case .credentials, .forbidden:
                .noPermission(text, advice: "Check the sasl.* properties and the rights of this user.")
            case .configuration, .unsupported: .configuration(text)
            case .tooLarge:
                ClairoError(
                    kind: .badInput, exitCode: .badMedia, text,
                    advice: "Raise message.max.bytes of the topic and the producer.")
            case .cancelled: .cancelled
            case .other: error.isRetriable ? .temporary(text) : .defect(text)
            }
    }
}
