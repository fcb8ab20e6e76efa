internal import CCurl
internal import Foundation
internal import Synchronization

/// HTTP/1.1 on libcurl. Calls block the thread they come from, any number of threads at once, and closures run on it.
///
/// Each running transfer holds a `Channel`: an easy handle in a multi handle of its own, which is what makes a wait end at
/// once when the caller's `Cancellation` is triggered (`curl_multi_wakeup` is the one libcurl call that another thread may
/// make). Idle channels wait on a stack with their open connections, so that the next transfer finds a warm one.
///
/// HTTP/2 is left out on purpose: it would put parallel transfers into one TCP connection, and uploads over it stall
/// (https://github.com/curl/curl/issues/10433).
public final class HTTPClient: Sendable {
    public struct Configuration: Sendable {
        /// Sent with each request that has none of its own.
        public var userAgent = "clairo"
        /// Seconds after which an idle connection is not used again. Servers close them without a word: S3 after some 20 s.
        public var idleLifetime = 5
        /// Bytes of the buffers between libcurl and the socket, each way. libcurl takes up to 2 MiB.
        public var bufferSize = 512 << 10
        /// Where proxies and certificates are found: `http_proxy`, `https_proxy`, `all_proxy`, `no_proxy`,
        /// `AWS_CA_BUNDLE`, `CURL_CA_BUNDLE`, `SSL_CERT_FILE`, `SSL_CERT_DIR`.
        public var environment = ProcessInfo.processInfo.environment

        public init() {}
    }

    private let configuration: Configuration
    private let idle = Mutex<[Channel]>([])
    private static let idleLimit = 16
    /// Once for the process, before any other call (curl_global_init(3)).
    private static let isReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }

    /// Sends a request and collects the reply.
    /// - Parameter limit: bytes that the reply's body may have.
    /// - Throws: `CurlError`, or what the body's closure threw.
    public func send(
        _ request: HTTPRequest, body: HTTPBody = .none, limit: Int = 1 << 20, cancellation: Cancellation? = nil
    ) throws -> HTTPReply {
        try transfer(request, body, ResponseReceiver(limit: limit, receive: nil), cancellation)
    }

    /// Sends a request and passes the body of a successful reply (2xx) on piece by piece; of any other reply the first
    /// `limit` bytes are collected, for the words in it. While `receive` works, nothing more is read from the network.
    /// - Throws: `CurlError`, or what one of the closures threw.
    public func stream(
        _ request: HTTPRequest, body: HTTPBody = .none, limit: Int = 64 << 10, cancellation: Cancellation? = nil,
        receive: (HTTPHead, UnsafeRawBufferPointer) throws -> Void
    ) throws -> HTTPReply {
        try withoutActuallyEscaping(receive) { receive in
            try transfer(request, body, ResponseReceiver(limit: limit, receive: receive), cancellation)
        }
    }

    private func transfer(
        _ request: HTTPRequest, _ body: HTTPBody, _ receiver: ResponseReceiver, _ cancellation: Cancellation?
    ) throws -> HTTPReply {
        guard Self.isReady,
            let channel = idle.withLock({ $0.popLast() }) ?? Channel(idleLifetime: configuration.idleLifetime)
        else { throw CurlError(.local, origin: Origin(request.url).description, "libcurl cannot start") }
        defer { idle.withLock { if $0.count < Self.idleLimit { $0.append(channel) } } }
        let transfer = Transfer(body: body, receiver: receiver)
        return try channel.perform(transfer, request, configuration, cancellation)
    }
}

/// `scheme://host:port` of a URL, which is all that may be said of it.
struct Origin: CustomStringConvertible {
    let scheme: String
    let host: String
    let description: String

    init(_ url: String) {
        guard let mark = url.range(of: "://") else {
            (scheme, host, description) = ("", "", "the request")
            return
        }
        scheme = url[..<mark.lowerBound].lowercased()
        let authority = url[mark.upperBound...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        let place = String(authority.split(separator: "@").last ?? "")
        host = place.hasPrefix("[") ? String(place.prefix { $0 != "]" }) + "]" : String(place.prefix { $0 != ":" })
        description = "\(scheme)://\(place)"
    }
}
