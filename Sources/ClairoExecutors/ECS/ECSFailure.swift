internal import AWSSigning
internal import ClairoCore
internal import Curl
internal import Foundation

/// Why a call of ECS's API did not succeed, after all repetitions.
struct ECSFailure: Error {
    enum Cause {
        /// The service's own words.
        case service(Service)
        case network(CurlError)
        case credentials(AWSCredentialsError)
        /// A success that is not what was asked for.
        case badReply(String)
        case cancelled
    }

    struct Service {
        var status: Int
        /// Such as `ClusterNotFoundException`.
        var code: String
        var message: String
        var requestID: String?
        var retryAfter: Double?
        /// The server's clock.
        var date: Date?
    }

    var cause: Cause
    var attempts = 1

    init(_ cause: Cause) { self.cause = cause }

    /// Source: https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html#operation-error-serialization
    init(_ reply: HTTPReply) {
        struct Document: Decodable {
            var __type: String?
            var code: String?
            var message: String?
            var Message: String?
        }
        let document = try? JSONDecoder().decode(Document.self, from: reply.body)
        let name = reply.headers["x-amzn-errortype"] ?? document?.__type ?? document?.code ?? "HTTP \(reply.status)"
        // Names may have a namespace in front and an address behind.
        let code = name.split(separator: "#").last?.prefix { $0 != ":" } ?? ""
        cause = .service(
            Service(
                status: reply.status, code: String(code), message: document?.message ?? document?.Message ?? "",
                requestID: reply.headers["x-amzn-requestid"],
                retryAfter: reply.headers["Retry-After"].flatMap { Double($0) },
                date: reply.headers["Date"].flatMap(Self.date)))
    }

    /// RFC 9110 section 5.6.7.
    private static func date(_ text: String) -> Date? {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(secondsFromGMT: 0)
        formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        return formatter.date(from: text)
    }

    // MARK: Again?

    private static let throttles: Set<String> = [
        "ThrottlingException", "Throttling", "ThrottledException", "RequestThrottled", "RequestThrottledException",
        "TooManyRequestsException", "RequestLimitExceeded",
    ]

    var isThrottle: Bool {
        guard case .service(let service) = cause else { return false }
        return Self.throttles.contains(service.code) || service.status == 429
    }

    /// Whether the same call may go well a little later.
    var isRetryable: Bool {
        switch cause {
        case .service(let service):
            isThrottle || service.status >= 500 || ["ServerException", "InternalFailure"].contains(service.code)
        case .network(let error): error.isRetryable
        case .credentials(let error): error.kind == .unavailable
        case .badReply: true
        case .cancelled: false
        }
    }

    // MARK: In words

    /// - Parameters:
    ///   - doing: such as `Starting a task in the ECS cluster videos`.
    ///   - place: endpoint and region.
    func error(_ doing: String, _ place: ECSClient.Place) -> ClairoError {
        let tries = attempts > 1 ? ", after \(attempts) attempts" : ""
        switch cause {
        case .cancelled: return .cancelled
        case .service(let service): return Self.error(service, tries, doing, place)
        case .credentials(let error):
            return error.kind == .unavailable
                ? .unavailable("\(doing): \(error)")
                : .noPermission(
                    "\(doing): \(error)", advice: "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE.")
        case .badReply(let reason): return .temporary("\(doing): \(reason)\(tries)")
        case .network(let error):
            let message = "\(doing): \(error)\(tries)"
            switch error.category {
            case .cancelled: return .cancelled
            case .unreachable:
                return .unavailable(message, advice: "Check AWS_ENDPOINT_URL_ECS, the region and the network.")
            case .tls:
                return .configuration(
                    message,
                    advice: "Name the file with the right certificates in AWS_CA_BUNDLE, or check the endpoint.")
            case .timeout, .connectionLost: return .temporary(message)
            case .badReply, .tooLarge, .badRequest:
                return .configuration(message, advice: "Check that AWS_ENDPOINT_URL_ECS names ECS.")
            case .local: return .defect(message)
            }
        }
    }

    /// ECS has no code of its own for some limits, only words.
    private static let words = ["reached the limit", "quota", "apacity is unavailable", "apacity unavailable"]

    static func isLackOfCapacity(_ text: String) -> Bool { words.contains { text.contains($0) } }

    private static func error(
        _ service: Service, _ tries: String, _ doing: String, _ place: ECSClient.Place
    ) -> ClairoError {
        let text = ECSFailure.printable(service.message)
        let request = service.requestID.map { " (request \($0.prefix(64)))" } ?? ""
        let message = "\(doing): \(service.code)" + (text.isEmpty ? "" : ": \(text)") + request + tries
        if service.code == "LimitExceededException" || isLackOfCapacity(service.message) {
            return ClairoError(
                kind: .capacity, exitCode: .temporary, message,
                advice: "Wait until other tasks end, or ask AWS for a higher quota.")
        }
        switch service.code {
        case "ClusterNotFoundException":
            return .configuration(
                "\(doing): there is no such cluster in \(place.region)",
                advice: "Check --ecs-cluster and AWS_REGION.")
        case "AccessDeniedException", "AccessDenied", "UnauthorizedOperation":
            return .noPermission(
                message,
                advice:
                    "The credentials must allow ecs:RunTask, ecs:StopTask, ecs:DescribeTasks, and iam:PassRole for the task's roles."
            )
        case "UnrecognizedClientException", "InvalidSignatureException", "InvalidClientTokenId",
            "MissingAuthenticationToken", "MissingAuthenticationTokenException", "IncompleteSignature",
            "IncompleteSignatureException", "ExpiredTokenException", "ExpiredToken", "OptInRequired":
            return .noPermission(
                message, advice: "Check the AWS credentials that are in use, and this machine's clock.")
        case "RequestExpired":
            return .configuration(message, advice: "This machine's clock differs from AWS's: set the clock.")
        case "ClientException", "InvalidParameterException", "PlatformUnknownException",
            "PlatformTaskDefinitionIncompatibilityException", "UnsupportedFeatureException", "BlockedException",
            "SerializationException", "ValidationException", "UnknownOperationException":
            return .configuration(message, advice: "Check the settings that begin with ecs-; clairo doctor tries them.")
        case "ConflictException": return .defect(message)
        default: break
        }
        switch service.status {
        case 401, 403: return .noPermission(message, advice: "Check the AWS credentials that are in use.")
        case 429, 500...: return .temporary(message, advice: "Try again later.")
        case 400..<500 where service.code.hasPrefix("HTTP"):
            return .configuration(message, advice: "Check that AWS_ENDPOINT_URL_ECS names ECS.")
        default: return throttles.contains(service.code) ? .temporary(message) : .defect(message)
        }
    }

    /// The service's words, which may be anybody's: one line of them.
    static func printable(_ text: String) -> String {
        text.unicodeScalars.prefix(300).map { $0.value < 32 || $0.value == 127 ? " " : String($0) }.joined()
    }
}
