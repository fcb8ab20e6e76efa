/// A request that was answered.
public struct RequestEvent: Sendable {
    /// The method as sent by the client. Untrusted.
    public var method: String
    /// HTTP status of the answer.
    public var status: Int
    /// Time from the request head until the response was ready, including reading the body.
    public var seconds: Double
}
