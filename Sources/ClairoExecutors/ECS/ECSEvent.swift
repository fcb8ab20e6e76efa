internal import AWSClient
internal import Curl

/// One attempt of an ECS API call.
public struct ECSEvent: Sendable {
    /// Operations of the ECS API.
    public enum Operation: String, Sendable, CaseIterable {
        /// The names of the ECS API, with a lower-case first letter.
        case runTask, stopTask, describeTasks, listTasks, describeClusters, describeTaskDefinition

        /// The name in the API's header.
        var target: String { rawValue.prefix(1).uppercased() + rawValue.dropFirst() }
    }

    /// How an attempt ended.
    public enum Outcome: String, Sendable, CaseIterable {
        /// The outcomes. They are a metric label, so the set is closed.
        case success, throttled, serverError, clientError, network, badReply, credentials
    }

    /// The called operation.
    public var operation: Operation
    /// How it ended.
    public var outcome: Outcome
}

extension ECSEvent.Outcome {
    /// Nil if the call was cancelled.
    init?(_ failure: AWSFailure) {
        switch failure.cause {
        case .service where failure.isThrottle: self = .throttled
        case .service(let service): self = service.status >= 500 ? .serverError : .clientError
        case .network(let error) where error.category == .cancelled: return nil
        case .network: self = .network
        case .credentials: self = .credentials
        case .badReply: self = .badReply
        case .cancelled: return nil
        }
    }
}
