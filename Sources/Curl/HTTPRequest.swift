public import struct Foundation.Data

/// An HTTP request. The URL is sent as is, so it must be percent-encoded.
public struct HTTPRequest: Sendable {
    /// HTTP method, such as `GET`.
    public var method: String
    /// The URL, percent-encoded.
    public var url: String
    /// Header fields.
    public var headers: HTTPHeaders
    /// The connect timeout in seconds, including the TLS handshake.
    public var connectTimeout: Double = 10
    /// Seconds without progress after which the transfer counts as stalled. Time spent in the caller's closures does
    /// not count. The total time is not limited, because a large object takes long on a slow link.
    public var stallTimeout: Double = 60
    /// A Unix socket to connect to instead of the URL's host.
    public var unixSocket: String?
    /// Whether an idle connection may be reused. If it turns out to be dead, libcurl silently resends the request.
    /// Disable this for a request that must be sent at most once.
    public var reusesConnection = true
    /// The maximum number of redirects to follow (default: none). A signature is valid for one host only.
    public var redirects: Int = 0

    public init(_ method: String, _ url: String, headers: HTTPHeaders = [:]) {
        self.method = method
        self.url = url
        self.headers = headers
    }
}

/// The body of a request.
public enum HTTPBody {
    /// No body.
    case none
    /// A body that is in memory.
    case data(Data)
    /// A body from a closure, which fills the buffer and returns the number of bytes, 0 at the end. It is called on the
    /// sending thread. Without a length, the body is sent with chunked transfer coding (RFC 9112 section 7.1). Because
    /// the body can be read only once, the request is not resent after its first bytes.
    case stream(length: Int64?, read: (UnsafeMutableRawBufferPointer) throws -> Int)
}

/// The status and header fields of a final reply; 1xx replies are skipped.
public struct HTTPHead: Sendable, Hashable {
    /// HTTP status.
    public var status: Int
    /// Header fields of the reply.
    public var headers: HTTPHeaders

    public init(status: Int, headers: HTTPHeaders) {
        self.status = status
        self.headers = headers
    }

    /// Whether the status is 2xx.
    public var isSuccess: Bool { (200..<300).contains(status) }
}

/// A complete reply. The body is empty if it was streamed.
public struct HTTPReply: Sendable, Hashable {
    /// Status and header fields.
    public var head: HTTPHead
    /// The whole body.
    public var body: Data

    public init(head: HTTPHead, body: Data) {
        self.head = head
        self.body = body
    }

    /// HTTP status.
    public var status: Int { head.status }
    /// Header fields.
    public var headers: HTTPHeaders { head.headers }
}
