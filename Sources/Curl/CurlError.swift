internal import CCurl

/// Why a request got no complete reply. An HTTP status is never an error: a 500 is a reply.
///
/// No field contains credentials, paths or query strings. Of the URL, only scheme, host and port are kept.
public struct CurlError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kind of error, by which a caller decides about a retry.
    public enum Category: String, Sendable {
        /// The host could not be resolved or connected to in time.
        case unreachable
        /// The transfer stalled; see `HTTPRequest.stallTimeout`.
        case timeout
        /// The TLS handshake or a certificate check failed.
        case tls
        /// The connection was lost before the reply was complete.
        case connectionLost
        /// The reply is not valid HTTP, or there were too many redirects.
        case badReply
        /// The reply exceeds the caller's limit.
        case tooLarge
        /// The caller's token was cancelled.
        case cancelled
        /// The request is invalid.
        case badRequest
        /// A local resource such as memory ran out, or libcurl failed for another reason.
        case local
    }

    /// The kind of error.
    public let category: Category
    /// libcurl's CURLcode, for logs.
    public let code: Int32
    /// `scheme://host:port`.
    public let origin: String
    /// One clause without a full stop.
    public let reason: String
    /// Whether any bytes of a reply have arrived.
    public let hasBegunReply: Bool

    /// Whether the same request may succeed later.
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

    /// - Parameter detail: libcurl's error message. Replaced by a general one if it may contain more of the URL than
    ///   the host.
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
        // The connect timeout is the only timeout given to libcurl.
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
