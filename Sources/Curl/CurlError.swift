internal import CCurl

/// Why there is no whole reply. An HTTP status is never one: a 500 is a reply.
///
/// Neither the description nor any field holds credentials, paths or query strings: of the URL only scheme, host and port.
public struct CurlError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Category: String, Sendable {
        /// The host has no address, nobody takes the connection, or it did not stand in time.
        case unreachable
        /// No byte passed for too long.
        case timeout
        /// A certificate or the handshake is not as it must be.
        case tls
        /// The connection was lost, or closed before the reply was whole.
        case connectionLost
        /// What came is not HTTP.
        case badReply
        /// The reply is longer than the caller wants.
        case tooLarge
        /// The caller's token was triggered.
        case cancelled
        /// The request cannot be sent as it is.
        case badRequest
        /// Memory or something else of this process.
        case local
    }

    public let category: Category
    /// libcurl's CURLcode, for logs.
    public let code: Int32
    /// `scheme://host:port`.
    public let origin: String
    /// One clause without a full stop.
    public let reason: String
    /// Whether bytes of a reply have come.
    public let hasBegunReply: Bool

    /// Whether the same request may go well a little later.
    public var isRetryable: Bool {
        switch category {
        case .unreachable, .timeout, .connectionLost: true
        case .badReply: !hasBegunReply
        case .tls, .tooLarge, .cancelled, .badRequest, .local: false
        }
    }

    public var description: String { "\(origin): \(reason)" }

    init(_ category: Category, code: CURLcode = CURLE_OK, origin: String, _ reason: String, hasBegunReply: Bool = false)
    {
        self.category = category
        self.code = Int32(bitPattern: code.rawValue)
        self.origin = origin
        self.reason = reason
        self.hasBegunReply = hasBegunReply
    }

    /// - Parameter detail: libcurl's error buffer, left out where it might repeat more of the URL than the host.
    init(code: CURLcode, detail: String, origin: String, hasBegunReply: Bool) {
        let isHarmless = !detail.isEmpty && !detail.contains("?") && !detail.contains("@") && !detail.contains("://")
        self.init(
            Self.category(code), code: code, origin: origin,
            isHarmless ? detail : String(cString: curl_easy_strerror(code)), hasBegunReply: hasBegunReply)
    }

    /// Source: libcurl-errors(3).
    private static func category(_ code: CURLcode) -> Category {
        switch code {
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_CONNECT, CURLE_INTERFACE_FAILED,
            CURLE_PROXY:
            .unreachable
        // The only limit that libcurl is given is the one for connecting.
        case CURLE_OPERATION_TIMEDOUT: .unreachable
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CONNECT_ERROR, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
            CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS,
            CURLE_SSL_PINNEDPUBKEYNOTMATCH, CURLE_USE_SSL_FAILED, CURLE_SSL_ENGINE_NOTFOUND,
            CURLE_SSL_ENGINE_SETFAILED, CURLE_SSL_ENGINE_INITFAILED:
            .tls
        case CURLE_GOT_NOTHING, CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_PARTIAL_FILE, CURLE_SEND_FAIL_REWIND,
            CURLE_SSL_SHUTDOWN_FAILED, CURLE_AGAIN, CURLE_NO_CONNECTION_AVAILABLE:
            .connectionLost
        case CURLE_WEIRD_SERVER_REPLY, CURLE_UNSUPPORTED_PROTOCOL, CURLE_BAD_CONTENT_ENCODING, CURLE_HTTP2,
            CURLE_HTTP2_STREAM, CURLE_TOO_MANY_REDIRECTS:
            .badReply
        case CURLE_FILESIZE_EXCEEDED: .tooLarge
        case CURLE_URL_MALFORMAT, CURLE_NOT_BUILT_IN: .badRequest
        default: .local
        }
    }
}
