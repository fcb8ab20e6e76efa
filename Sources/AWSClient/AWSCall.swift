public import AWSSigning
public import Curl
public import Foundation

/// A request to a service, before it has a host and a signature.
public struct AWSCall: Sendable {
    /// HTTP method, such as `PUT`.
    public var method: String
    /// Behind the endpoint's own path, with its slash; not encoded.
    public var path: String
    /// Query parameters, not encoded.
    public var query: [AWSRequest.QueryItem]
    /// Header fields that take part in the signature.
    public var headers: [AWSRequest.Header]
    /// The body; empty for none.
    public var body: Data
    /// Of the body, in hexadecimal, where it is known already.
    public var sha256: String?
    /// Bytes that the reply may have.
    public var replyLimit = 16 << 20
    /// Seconds until a connection must stand.
    public var connectTimeout = 10.0
    /// Seconds of silence that end an attempt.
    public var stallTimeout = 60.0
    /// False where libcurl must not repeat the request on its own; see `HTTPRequest.reusesConnection`.
    public var reusesConnection = true
    /// Nil for the client's number.
    public var maxAttempts: Int?
    /// Ends the attempt that is under way.
    public var cancellation: Cancellation?
    /// Waits between two attempts on the calling thread, for so many seconds; false gives the call up.
    public var pause: @Sendable (_ seconds: Double) -> Bool
    /// Receives each attempt.
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

/// One attempt at a call.
public struct AWSAttempt: Sendable {
    /// Nil where it succeeded.
    public var failure: AWSFailure?
    /// How long the attempt took.
    public var seconds: Double
    /// Whether another attempt follows.
    public var isRepeated: Bool
}
