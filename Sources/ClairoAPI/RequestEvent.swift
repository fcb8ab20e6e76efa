/// A request that was answered.
public struct RequestEvent: Sendable {
    /// As the client wrote it, who may write anything.
    public var method: String
    public var status: Int
    /// From its head until the answer is ready, the reading of its body included.
    public var seconds: Double
}
