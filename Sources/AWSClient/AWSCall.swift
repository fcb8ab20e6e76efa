public import AWSSigning
public import Curl
public import Foundation

/// A request to a service, before it gets an address and a signature.
public struct AWSCall: Sendable {
    /// The HTTP method, such as `PUT`.
    public var method: String
    /// The path after the endpoint's own path, with a leading slash, not encoded.
    public var path: String
    /// The query parameters, not encoded.
    public var query: [AWSRequest.QueryItem]
    /// The header fields, which are signed.
    public var headers: [AWSRequest.Header]
    /// The body, empty for none.
    public var body: Data
    /// The SHA-256 of the body in hexadecimal, if known.
    public var sha256: String?
    /// The maximum size of the reply in bytes.
    public var replyLimit = 16 << 20
    /// The connect timeout in seconds.
    public var connectTimeout = 10.0
    /// Seconds without progress after which an attempt fails.
    public var stallTimeout = 60.0
    /// False if libcurl must not resend the request by itself; see `HTTPRequest.reusesConnection`.
    public var reusesConnection = true
    /// The maximum number of attempts, or nil for the client's own maximum.
    public var maxAttempts: Int?
    /// Cancels the current attempt.
    public var cancellation: Cancellation?
    /// Sleeps for some seconds on the calling thread, between attempts or for the rate limit. If it returns false, the
    /// call is cancelled.
    public var pause: @Sendable (_ seconds: Double) -> Bool
    /// Called after each attempt.
    public var observe: @Sendable (AWSAttempt) -> Void = { _ in }

    public init(
        _ method: String, path: String = "", query: [AWSRequest.QueryItem] = [], headers: [AWSRequest.Header] = [],
        body: Data = Data(), pause: @escaping @Sendable (_ seconds: Double) -> Bool
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.pause = pause
    }
}

/// One attempt of a call.
public struct AWSAttempt: Sendable {
    /// Why the attempt failed, or nil if it succeeded.
    public var failure: AWSFailure?
    /// The duration of the attempt.
    public var seconds: Double
    /// Whether another attempt follows.
    public var isRepeated: Bool
}
