public import struct Foundation.Data

/// One request. The URL is sent as it stands, so whoever makes it has percent-encoded it.
public struct HTTPRequest: Sendable {
    public var method: String
    public var url: String
    public var headers: HTTPHeaders
    /// Seconds until the connection must stand, TLS included.
    public var connectTimeout: Double = 10
    /// Seconds in which no byte, or hardly any, may pass before the transfer counts as stalled. There is no limit on the
    /// whole: a large object on a slow line takes its time. What the caller's own closures take is not counted.
    public var stallTimeout: Double = 60
    /// A unix socket to talk through instead of the URL's host.
    public var unixSocket: String?
    /// Whether a connection that was kept open may be used. Where such a one turns out to be dead, libcurl sends the request
    /// again by itself and says nothing: one that must be known to go out once takes a new connection.
    public var reusesConnection = true
    /// Redirects that are followed; none unless the caller says so, for a signature belongs to one host.
    public var redirects: Int = 0

    public init(_ method: String, _ url: String, headers: HTTPHeaders = [:]) {
        self.method = method
        self.url = url
        self.headers = headers
    }
}

/// What goes up with a request.
public enum HTTPBody {
    case none
    case data(Data)
    /// Fills the buffer and says with how many bytes; 0 is the end. Called on the thread that sends. Without a length the
    /// body is sent in chunks (RFC 9112 section 7.1). It can be read only once, so it is never sent again by itself.
    case stream(length: Int64?, read: (UnsafeMutableRawBufferPointer) throws -> Int)
}

/// Status and header fields of a final reply (1xx ones are passed over).
public struct HTTPHead: Sendable, Hashable {
    public var status: Int
    public var headers: HTTPHeaders

    public init(status: Int, headers: HTTPHeaders) {
        self.status = status
        self.headers = headers
    }

    public var isSuccess: Bool { (200..<300).contains(status) }
}

/// A reply whose body, or what there is of it in memory, has come whole.
public struct HTTPReply: Sendable, Hashable {
    public var head: HTTPHead
    public var body: Data

    public init(head: HTTPHead, body: Data) {
        self.head = head
        self.body = body
    }

    public var status: Int { head.status }
    public var headers: HTTPHeaders { head.headers }
}
