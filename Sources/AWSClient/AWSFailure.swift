public import AWSSigning
public import Curl
public import Foundation

/// Why a call of a service failed, after all retries.
public struct AWSFailure: Error, Sendable {
    /// The cause of a failure.
    public enum Cause: Sendable {
        /// The service replied with an error.
        case service(AWSRefusal)
        /// No complete reply arrived.
        case network(CurlError)
        /// There are no credentials to sign with.
        case credentials(AWSCredentialsError)
        /// A successful reply with unexpected content.
        case badReply(String)
        /// The caller cancelled the call while it waited for the rate limit or the next attempt.
        case cancelled
    }

    /// The cause of the last attempt's failure.
    public var cause: Cause
    /// The number of attempts.
    public var attempts = 1
    /// Whether the service may have executed the call in at least one attempt.
    public var mayHaveHappened = false

    public init(_ cause: Cause) { self.cause = cause }

    /// The service's error code, or nil without an error reply.
    public var code: String? { if case .service(let refusal) = cause { refusal.code } else { nil } }

    /// The HTTP status of the error reply, or nil without one.
    public var status: Int? { if case .service(let refusal) = cause { refusal.status } else { nil } }

    private static let throttles: Set<String> = [
        "SlowDown", "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled",
        "RequestThrottledException", "TooManyRequests", "TooManyRequestsException", "RequestLimitExceeded",
        "BandwidthLimitExceeded",
    ]

    /// Whether the service rejected the call because it throttles requests.
    public var isThrottle: Bool {
        guard case .service(let refusal) = cause else { return false }
        return Self.throttles.contains(refusal.code) || refusal.status == 429
    }

    private static let passing: Set<String> = [
        "InternalError", "InternalFailure", "ServerException", "ServiceUnavailable", "RequestTimeout",
        "OperationAborted", "ConditionalRequestConflict",
        // The body was damaged in transit.
        "BadDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch", "IncompleteBody",
    ]

    /// Whether the same call may succeed later.
    public var isRetryable: Bool {
        switch cause {
        case .service(let refusal):
            isThrottle || Self.passing.contains(refusal.code)
                || (refusal.status >= 500 && ![501, 505, 507].contains(refusal.status))
        case .network(let error): error.isRetryable
        case .credentials(let error): error.kind == .unavailable
        case .badReply: true
        case .cancelled: false
        }
    }

    /// Whether the service may have executed the call in this attempt.
    var isUncertain: Bool {
        switch cause {
        case .service(let refusal): refusal.status >= 500 || refusal.status < 300
        case .network(let error): error.category != .unreachable && error.category != .badRequest
        case .credentials, .cancelled: false
        case .badReply: true
        }
    }
}

/// An error reply of a service.
public struct AWSRefusal: Sendable {
    /// The HTTP status.
    public var status: Int
    /// The error code, for example `NoSuchKey`; `HTTP` and the status if the reply has none.
    public var code: String
    /// The service's message.
    public var message: String
    /// The id of the request, which AWS Support may ask for.
    public var requestID: String?
    /// The bucket's actual region, in replies about a wrong region.
    public var region: String?
    /// The delay requested by the service, in seconds.
    public var retryAfter: Double?
    /// The time of the reply by the service's clock.
    public var date: Date?

    /// Creates an error reply from the parts that depend on the service. The others are read from `reply`.
    public init(_ reply: HTTPReply, code: String, message: String, requestID: String?, region: String? = nil) {
        status = reply.status
        self.code = code
        self.message = message
        self.requestID = requestID
        self.region = region
        retryAfter = reply.headers["Retry-After"].flatMap { Double($0) }
        date = reply.headers["Date"].flatMap(HTTPDate.date)
    }

    /// The code, the message and the request's id on one line.
    public var words: String {
        let text = Self.printable(message)
        return code + (text.isEmpty ? "" : ": \(text)") + (requestID.map { " (request \($0.prefix(64)))" } ?? "")
    }

    /// A text from the service for display. The text is untrusted, so it is limited to 300 characters, and control
    /// characters become spaces.
    public static func printable(_ text: String) -> String {
        text.unicodeScalars.prefix(300).map { $0.value < 32 || (127..<160).contains($0.value) ? " " : String($0) }
            .joined()
    }
}
