/// A request that was answered.
public struct RequestEvent: Sendable {
    /// The method as sent by the client. Untrusted.
    public var method: String
    /// The HTTP status of the response.
    public var status: Int
    /// Seconds from the request's head until the response was ready, including the time to read the body.
    public var seconds: Double
}
