internal import ClairoCore
internal import RDKafka

extension ClairoError {
    /// Maps an error from Kafka.
    init(_ error: KafkaError, doing action: String) {
        let text = "\(action): \(error.message)"
        self =
            switch error.category {
            case .unreachable, .tls:
                .unavailable(text, advice: "Check the network and the brokers in the queue setting.")
            case .timeout, .unavailable, .group, .closed: .temporary(text)
            case .unknownTopic: .temporary(text, advice: "clairo produce creates the topics if it is allowed to.")
            case .credentials, .forbidden:
                .noPermission(text, advice: "Check the sasl.* properties and this user's permissions.")
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
