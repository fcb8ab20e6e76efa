internal import ClairoCore
internal import RDKafka

/// What a request to Kafka needs permission for, to be named if the brokers deny it.
struct KafkaPermission {
    /// An operation of Kafka's access control lists.
    enum Operation: String {
        case create, write, read, describe
    }

    var operation: Operation
    /// The topics that the request is about.
    var topics: [String] = []
    /// The consumer group, for which the same operation is needed.
    var group: String?

    fileprivate var topicNames: String {
        topics.isEmpty ? "a topic" : (topics.count == 1 ? "the topic " : "the topics ") + topics.joined(separator: ", ")
    }

    fileprivate var groupName: String { group.map { "the consumer group \($0)" } ?? "a consumer group" }
}

extension ClairoError {
    /// Maps an error from Kafka.
    init(_ error: KafkaError, doing action: String, needing permission: KafkaPermission) {
        let text = "\(action): \(error.message)"
        self =
            switch error.category {
            case .unreachable: .unavailable(text, advice: Self.adviceAboutBrokers)
            case .wrongProtocol:
                .unavailable(
                    text,
                    advice: "Check security.protocol and the ports of the brokers: a port speaks TLS or plain text.")
            case .tls:
                .unavailable(text, advice: "Check security.protocol and the ssl.* properties, such as ssl.ca.location.")
            case .timeout, .unavailable, .group, .closed: .temporary(text)
            case .unknownTopic: .temporary(text, advice: "clairo migrate creates the topics.")
            case .credentials: .refused(text, advice: "Check security.protocol and the sasl.* properties.")
            case .forbidden: .denied(permission, error, doing: action)
            case .configuration:
                .configuration(
                    text,
                    advice: error.isInvalidSessionTimeout
                        ? "Set session.timeout.ms to a value that the brokers allow: "
                            + "group.min.session.timeout.ms to group.max.session.timeout.ms." : nil)
            case .unsupported: .configuration(text)
            case .tooLarge:
                ClairoError(
                    kind: .badInput, exitCode: .badMedia, text,
                    advice: "Raise message.max.bytes of the topic and the producer.")
            case .cancelled: .cancelled
            case .other: error.isRetriable ? .temporary(text) : .defect(text)
            }
    }

    static let adviceAboutBrokers = "Check the network and the brokers in the queue setting."

    /// The brokers denied a request. clairo-deploy(7) lists the permissions of each command.
    private static func denied(
        _ permission: KafkaPermission, _ error: KafkaError, doing action: String
    ) -> ClairoError {
        let operation = permission.operation
        let (verb, object, advice): (String, String, String)
        switch (error.deniedResource, operation) {
        case (.group, _):
            (verb, object) = (operation == .read ? "join" : "describe", permission.groupName)
            advice = "Grant \(operation.rawValue.uppercased()) on it."
        case (.topic, .create), (.cluster, .create):
            (verb, object) = ("create", permission.topicNames)
            advice =
                "Create what is missing (\(KafkaQueue.partitionCounts)), or grant CREATE. Grant DESCRIBE on topics that exist."
        case (.topic, _):
            (verb, object) = (operation == .write ? "write to" : operation.rawValue, permission.topicNames)
            advice = "Grant \(operation.rawValue.uppercased()) on it."
        case (.cluster, _):
            (verb, object) = ("send idempotently to", permission.topicNames)
            advice = "Grant WRITE on the topics; brokers before Kafka 2.8 also ask for IDEMPOTENT_WRITE on the cluster."
        case (nil, _):
            return .refused("\(action): \(error.message)", advice: "Ask the operators of the brokers.")
        }
        return .refused("\(action): the user may not \(verb) \(object) (\(error.message))", advice: advice)
    }
}
