internal import AWSSigning
internal import ClairoCore
internal import Curl
internal import Foundation

/// Why a request to S3 did not succeed, after all repetitions.
struct S3Failure: Error {
    enum Cause {
        /// The service's own words.
        case service(Service)
        case network(CurlError)
        case credentials(AWSCredentialsError)
        /// A success that is not what was asked for.
        case badReply(String)
    }

    struct Service {
        var status: Int
        /// Such as `NoSuchKey`; made up of the status where there is no body.
        var code: String
        var message: String
        var requestID: String?
        /// Where the bucket really is, in replies about that.
        var region: String?
        var retryAfter: Double?
        /// The server's clock.
        var date: Date?
    }

    var cause: Cause
    /// How often it was sent.
    var attempts = 1
    /// Whether the service may have done what it was asked for, though nobody has heard so.
    var mayHaveHappened = false

    var code: String? { if case .service(let service) = cause { service.code } else { nil } }
    var status: Int? { if case .service(let service) = cause { service.status } else { nil } }
    var isNotFound: Bool { ["NoSuchKey", "NotFound"].contains(code) }

    init(_ cause: Cause) { self.cause = cause }

    /// - Parameter method: of the request.
    init(_ reply: HTTPReply, to method: String) {
        let document = S3Document.parse(reply.body)
        let error = document?.name == "Error" ? document : document?.all("Error").first
        cause = .service(
            Service(
                status: reply.status, code: error?["Code"] ?? Self.code(of: reply.status, to: method),
                message: error?["Message"] ?? "", requestID: reply.headers["x-amz-request-id"],
                region: reply.headers["x-amz-bucket-region"] ?? error?["Region"],
                retryAfter: reply.headers["Retry-After"].flatMap { Double($0) },
                date: reply.headers["Date"].flatMap(HTTPDate.date)))
    }

    /// For replies without a body, as to HEAD.
    private static func code(of status: Int, to method: String) -> String {
        switch status {
        case 301, 307, 308: "PermanentRedirect"
        // S3 gives its reason where something cannot be written: this is not S3.
        case 404 where method != "PUT" && method != "POST": "NotFound"
        case 403: "AccessDenied"
        case 412: "PreconditionFailed"
        case 503: "ServiceUnavailable"
        default: "HTTP \(status)"
        }
    }

    // MARK: Again?

    private static let passing: Set<String> = [
        "InternalError", "ServiceUnavailable", "SlowDown", "RequestTimeout", "Throttling", "ThrottlingException",
        "RequestLimitExceeded", "TooManyRequests", "BandwidthLimitExceeded", "OperationAborted",
        "ConditionalRequestConflict",
        // The bytes were damaged on their way.
        "BadDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch", "IncompleteBody",
    ]

    /// Whether the same request may go well a little later.
    var isRetryable: Bool {
        switch cause {
        case .service(let service):
            Self.passing.contains(service.code) || [429, 500, 502, 503, 504].contains(service.status)
        case .network(let error): error.isRetryable
        case .credentials(let error): error.kind == .unavailable
        case .badReply: true
        }
    }

    /// Whether the service may have acted on this one attempt.
    var isUncertain: Bool {
        switch cause {
        case .service(let service): service.status >= 500 || service.status < 300
        case .network(let error): error.category != .unreachable && error.category != .badRequest
        case .credentials: false
        case .badReply: true
        }
    }

    // MARK: In words

    /// The error for people and exit codes.
    /// - Parameters:
    ///   - doing: such as `Reading s3://bucket/key`.
    ///   - place: bucket and endpoint, as `check` and errors about them name them.
    func error(_ doing: String, _ place: S3Place) -> ClairoError {
        switch cause {
        case .service(let service): return Self.error(service, attempts: attempts, doing, place)
        case .network(let error): return Self.error(error, attempts: attempts, doing)
        case .credentials(let error):
            return error.kind == .unavailable
                ? .unavailable("\(doing): \(error)")
                : .noPermission(
                    "\(doing): \(error)",
                    advice: "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE.")
        case .badReply(let reason): return .temporary("\(doing): \(reason)")
        }
    }

    private static func error(_ error: CurlError, attempts: Int, _ doing: String) -> ClairoError {
        let tries = attempts > 1 ? ", after \(attempts) attempts" : ""
        let message = "\(doing): \(error)\(tries)"
        switch error.category {
        case .cancelled: return .cancelled
        case .unreachable:
            return .unavailable(message, advice: "Check AWS_ENDPOINT_URL_S3, the region and the network.")
        case .tls:
            return .configuration(
                message, advice: "Name the file with the right certificates in AWS_CA_BUNDLE, or check the endpoint.")
        case .badReply, .tooLarge:
            return .configuration(message, advice: "Check that AWS_ENDPOINT_URL_S3 names an S3 server.")
        case .timeout, .connectionLost: return .temporary(message)
        case .badRequest: return .configuration(message)
        case .local: return .defect(message)
        }
    }

    private static func error(_ service: Service, attempts: Int, _ doing: String, _ place: S3Place) -> ClairoError {
        let message = "\(doing): \(words(service))" + (attempts > 1 ? ", after \(attempts) attempts" : "")
        switch service.code {
        case "NoSuchBucket":
            return .configuration(
                "\(doing): there is no bucket \(place.bucket) at \(place.endpoint)",
                advice: "Make the bucket, or check its name and AWS_ENDPOINT_URL_S3.")
        case "NoSuchKey", "NotFound": return .noInput("\(doing): there is no such object", advice: "Check the name.")
        case "NoSuchUpload": return .noInput("\(doing): the upload is completed, aborted or unknown")
        case "InvalidBucketName", "IllegalLocationConstraintException", "PermanentRedirect", "TemporaryRedirect",
            "AuthorizationHeaderMalformed", "InvalidRegion":
            return .configuration(
                message,
                advice: service.region.map { "The bucket is in \($0): set AWS_REGION=\($0)." }
                    ?? "Check AWS_REGION (now \(place.region)) and the bucket's name.")
        case "RequestTimeTooSkewed", "RequestExpired":
            return .configuration(
                message, advice: "This machine's clock differs from the server's by more than it allows: set the clock."
            )
        case "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired",
            "InvalidSecurity":
            return .noPermission(message, advice: "Check the AWS credentials that are in use.")
        case "QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "InsufficientStorage":
            return ClairoError(
                kind: .capacity, exitCode: .inputOutput, message, advice: "Free some space in the store.")
        default: break
        }
        switch service.status {
        case 401, 403:
            return .noPermission(
                message, advice: "The credentials must allow this on \(place.bucket): check its policy.")
        case 507:
            return ClairoError(
                kind: .capacity, exitCode: .inputOutput, message, advice: "Free some space in the store.")
        case 501: return .configuration(message, advice: "This server cannot do that; use another one.")
        case 429, 500..., ..<300, 409: return .temporary(message, advice: "Try again later.")
        // Not S3's words, so perhaps not S3.
        case 400..<500 where service.code.hasPrefix("HTTP"):
            return .configuration(message, advice: "Check that AWS_ENDPOINT_URL_S3 names an S3 server.")
        default: return .defect(message)
        }
    }

    /// The code and the service's words, which may be anybody's: one line of them.
    private static func words(_ service: Service) -> String {
        let text = service.message.unicodeScalars.map { $0.value < 32 || $0.value == 127 ? " " : String($0) }.joined()
        let request = service.requestID.map { " (request \($0.prefix(64)))" } ?? ""
        return service.code + (text.isEmpty ? "" : ": \(text.prefix(300))") + request
    }
}

/// What errors say of the store.
struct S3Place {
    var bucket: String
    var endpoint: String
    var region: String
}
