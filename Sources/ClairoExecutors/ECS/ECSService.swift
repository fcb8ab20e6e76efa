internal import AWSClient
internal import ClairoCore
internal import Curl
internal import Foundation

extension AWSService {
    static let ecs = AWSService(
        name: "ECS", signingName: "ecs", endpointExample: "https://ecs.eu-central-1.amazonaws.com"
    ) { reply, _ in
        // https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html#operation-error-serialization
        struct Document: Decodable {
            var __type: String?
            var code: String?
            var message: String?
            var Message: String?
        }
        let document = try? JSONDecoder().decode(Document.self, from: reply.body)
        let name = reply.headers["x-amzn-errortype"] ?? document?.__type ?? document?.code ?? "HTTP \(reply.status)"
        // A name may be preceded by a namespace and followed by a URL.
        let code = name.split(separator: "#").last?.prefix { $0 != ":" } ?? ""
        return AWSRefusal(
            reply, code: String(code), message: document?.message ?? document?.Message ?? "",
            requestID: reply.headers["x-amzn-requestid"])
    }
}

extension AWSFailure {
    /// Returns the error with a message, advice and exit code.
    /// - Parameter doing: What was being done, such as `Starting a task in the ECS cluster videos`.
    func ecsError(_ doing: String, _ client: AWSClient) -> ClairoError {
        error(doing, client) { refusal, message in
            if refusal.code == "LimitExceededException" || ECSStopReason.isLackOfCapacity(refusal.message) {
                return ClairoError(
                    kind: .capacity, exitCode: .temporary, message,
                    advice: "Wait until other tasks end, or request a higher quota from AWS.")
            }
            switch refusal.code {
            case "ClusterNotFoundException":
                return .refused(
                    "\(doing): the cluster does not exist in \(client.region)", exitCode: .configuration,
                    advice: "Check --ecs-cluster and AWS_REGION.")
            case "AccessDeniedException", "AccessDenied", "UnauthorizedOperation":
                return .refused(
                    message,
                    advice:
                        "The credentials must allow ecs:RunTask, ecs:StopTask, ecs:DescribeTasks, and iam:PassRole for the task's roles."
                )
            case "ClientException", "InvalidParameterException", "PlatformUnknownException",
                "PlatformTaskDefinitionIncompatibilityException", "UnsupportedFeatureException", "BlockedException",
                "SerializationException", "ValidationException", "UnknownOperationException":
                return .refused(
                    message, exitCode: .configuration,
                    advice: "Check the settings that begin with ecs-, for example with clairo doctor.")
            case "ConflictException": return .defect(message)
            default: return nil
            }
        }
    }
}
