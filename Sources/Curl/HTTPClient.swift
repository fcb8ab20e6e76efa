internal import CCurl
internal import Foundation
internal import Synchronization

/// An HTTP/1.1 client on libcurl. Calls block the calling thread, and closures run on that thread. Any number of
/// threads may call at once.
///
/// Each transfer uses a `Channel`: an easy handle in a multi handle of its own. The multi handle lets a `Cancellation`
/// end a wait at once, because `curl_multi_wakeup` is the only libcurl call that another thread may make. Idle channels
/// are kept on a stack for later transfers, with their connections open.
///
/// HTTP/2 is disabled on purpose: it would multiplex parallel transfers onto one TCP connection, and uploads over it
/// stall (https://github.com/curl/curl/issues/10433).
public final class HTTPClient: Sendable {
    /// How a client connects.
    public struct Configuration: Sendable {
        /// The `User-Agent` of requests that do not set one.
        public var userAgent = "clairo"
        /// Seconds after which an idle connection is no longer reused. Servers close idle connections silently, S3
        /// after about 20 s.
        public var idleLifetime = 5
        /// The size of libcurl's send and receive buffers in bytes, up to 2 MiB.
        public var bufferSize = 512 << 10
        /// The environment variables that name proxies and certificates: `http_proxy`, `https_proxy`, `all_proxy`,
        /// `no_proxy`, `AWS_CA_BUNDLE`, `CURL_CA_BUNDLE`, `SSL_CERT_FILE`, `SSL_CERT_DIR`.
        public var environment = ProcessInfo.processInfo.environment

        public init() {}
    }

    private let configuration: Configuration
    private let idle = Mutex<[Channel]>([])
    private static let idleLimit = 16
    /// libcurl's initialization, which must happen once per process, before any other call (curl_global_init(3)).
    private static let isReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }

    /// Sends a request and collects the reply.
    /// - Parameter limit: The maximum size of the reply's body, in bytes.
    /// - Throws: `CurlError`, or the error of the body's closure.
    public func send(
        _ request: HTTPRequest, body: HTTPBody = .none, limit: Int = 1 << 20, cancellation: Cancellation? = nil
    ) throws -> HTTPReply {
        try transfer(request, body, ResponseReceiver(limit: limit, receive: nil), cancellation)
    }

    /// Sends a request and passes the body of a 2xx reply to `receive` piece by piece. Of the body of any other reply,
    /// the first `limit` bytes are collected for error messages. Nothing is read from the network while `receive` runs.
    /// - Throws: `CurlError`, or the error of one of the closures.
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

/// `scheme://host:port` of a URL: the only part that may appear in messages.
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
