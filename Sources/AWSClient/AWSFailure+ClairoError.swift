internal import AWSSigning
public import ClairoCore
internal import Curl

extension AWSFailure {
    /// The failure as an error for users.
    /// - Parameters:
    ///   - doing: What was being done, for example `Reading s3://bucket/key`.
    ///   - client: The client that made the call.
    ///   - specific: Maps the error replies that are specific to the service, and returns nil for others. Its second
    ///     argument is the message for the error.
    public func error(
        _ doing: String, _ client: AWSClient,
        _ specific: (AWSRefusal, _ message: String) -> ClairoError? = { _, _ in nil }
    ) -> ClairoError {
        let tries = attempts > 1 ? ", after \(attempts) attempts" : ""
        switch cause {
        case .cancelled: return .cancelled
        case .service(let refusal):
            let message = "\(doing): \(refusal.words)\(tries)"
            return specific(refusal, message) ?? Self.error(refusal, message, client)
        case .credentials(let error):
            return error.kind == .unavailable
                ? .unavailable("\(doing): \(error)")
                : .refused(
                    "\(doing): \(error)", advice: "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE.")
        case .badReply(let reason): return .temporary("\(doing): \(reason)\(tries)")
        case .network(let error): return Self.error(error, "\(doing): \(error)\(tries)", client.service)
        }
    }

    private static func error(_ error: CurlError, _ message: String, _ service: AWSService) -> ClairoError {
        switch error.category {
        case .cancelled: .cancelled
        case .unreachable:
            .unavailable(message, advice: "Check \(service.endpointVariable), the region and the network.")
        case .tls:
            .refused(
                message, exitCode: .configuration,
                advice: "Set AWS_CA_BUNDLE to a file with the right certificates, or check the endpoint.")
        case .timeout, .connectionLost: .temporary(message)
        case .badReply, .tooLarge, .badRequest:
            .refused(
                message, exitCode: .configuration,
                advice: "Check that \(service.endpointVariable) is an \(service.name) endpoint.")
        case .local: .defect(message)
        }
    }

    /// The error codes for rejected credentials or a rejected signature.
    private static let credentialCodes: Set<String> = [
        "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "ExpiredTokenException", "InvalidToken",
        "TokenRefreshRequired", "InvalidSecurity", "UnrecognizedClientException", "InvalidSignatureException",
        "InvalidClientTokenId", "MissingAuthenticationToken", "MissingAuthenticationTokenException",
        "IncompleteSignature", "IncompleteSignatureException", "OptInRequired",
    ]

    /// Maps the error replies that all services have in common. What an operator can mend while work waits is `refused`:
    /// credentials, permissions, certificates, the clock, another server at the endpoint.
    private static func error(_ refusal: AWSRefusal, _ message: String, _ client: AWSClient) -> ClairoError {
        if ["RequestTimeTooSkewed", "RequestExpired"].contains(refusal.code) {
            return .refused(
                message, exitCode: .configuration,
                advice: "This machine's clock differs from the server's: set the clock.")
        }
        if credentialCodes.contains(refusal.code) {
            return .refused(message, advice: "Check the AWS credentials in use and this machine's clock.")
        }
        switch refusal.status {
        case 401, 403: return .refused(message, advice: "Check the AWS credentials in use.")
        case 501:
            return .refused(
                message, exitCode: .configuration, advice: "The server does not support this; use another one.")
        case 507: return .noSpace(message)
        case 409, 429, 500..., ..<300: return .temporary(message, advice: "Try again later.")
        // The reply has no error code of the service, so it may come from another server.
        case 400..<500 where refusal.code.hasPrefix("HTTP"):
            return .refused(
                message, exitCode: .configuration,
                advice: "Check that \(client.service.endpointVariable) is an \(client.service.name) endpoint.")
        default:
            return AWSFailure(.service(refusal)).isThrottle
                ? .temporary(message, advice: "Try again later.") : .defect(message)
        }
    }
}

extension ClairoError {
    /// The store is full.
    public static func noSpace(_ message: String) -> ClairoError {
        ClairoError(kind: .capacity, exitCode: .inputOutput, message, advice: "Free some space in the store.")
    }
}
