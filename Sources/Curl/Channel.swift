internal import CCurl
internal import Foundation

/// A libcurl easy handle in a multi handle of its own, with its open connections.
///
/// `@unchecked Sendable`: it has one owner at a time, either the client's stack (under its lock) or the call that took
/// it from the stack. The exception is `wake`, which any thread may call while the handle exists.
final class Channel: @unchecked Sendable {
    private let multi: UnsafeMutableRawPointer
    private let easy: UnsafeMutableRawPointer
    /// libcurl's error message (CURLOPT_ERRORBUFFER).
    private let errorBuffer = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))
    private let idleLifetime: Int

    init?(idleLifetime: Int) {
        guard let multi = curl_multi_init() else { return nil }
        guard let easy = curl_easy_init() else {
            curl_multi_cleanup(multi)
            return nil
        }
        (self.multi, self.easy, self.idleLifetime) = (multi, easy, idleLifetime)
        clairo_curl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, 4)
    }

    deinit {
        curl_easy_cleanup(easy)
        curl_multi_cleanup(multi)
        errorBuffer.deallocate()
    }

    private func wake() { curl_multi_wakeup(multi) }

    /// Runs one transfer to its end. Blocks.
    /// - Throws: `CurlError`, or the error of one of the caller's closures.
    func perform(
        _ transfer: Transfer, _ request: HTTPRequest, _ configuration: HTTPClient.Configuration,
        _ cancellation: Cancellation?
    ) throws -> HTTPReply {
        let origin = Origin(request.url)
        guard ["http", "https"].contains(origin.scheme) else {
            throw CurlError(.badRequest, origin: origin.description, "the URL is neither http nor https")
        }
        let headers = try list(request, configuration, origin)
        defer { curl_slist_free_all(headers) }
        set(request, transfer, configuration, origin)
        clairo_curl_set_pointer(easy, CURLOPT_HTTPHEADER, headers)
        return try withExtendedLifetime(transfer) {
            guard curl_multi_add_handle(multi, easy) == CURLM_OK else {
                throw CurlError(.local, origin: origin.description, "libcurl cannot start the transfer")
            }
            // This also closes the connection if the transfer is incomplete.
            defer { curl_multi_remove_handle(multi, easy) }
            let run = { try self.run(transfer, request, origin, cancellation) }
            if let cancellation { return try cancellation.notifying({ self.wake() }, while: run) }
            return try run()
        }
    }

    private func run(
        _ transfer: Transfer, _ request: HTTPRequest, _ origin: Origin, _ cancellation: Cancellation?
    ) throws -> HTTPReply {
        var watch = StallWatch(limit: request.stallTimeout, at: Clock.now)
        while true {
            if cancellation?.isCancelled == true {
                throw CurlError(
                    .cancelled, origin: origin.description, "stopped on request", hasBegunReply: transfer.hasBegunReply)
            }
            var running: Int32 = 0
            let outcome = curl_multi_perform(multi, &running)
            if let error = transfer.stash { throw error }
            guard outcome == CURLM_OK else {
                throw CurlError(.local, origin: origin.description, String(cString: curl_multi_strerror(outcome)))
            }
            if running == 0 { return try finish(transfer, origin) }
            let rest = watch.remaining(
                at: Clock.now, bytes: transfer.bytes, inClosures: transfer.secondsInClosures)
            guard rest > 0 else {
                throw CurlError(
                    .timeout, code: CURLE_OPERATION_TIMEDOUT, origin: origin.description,
                    "no bytes for \(Int(request.stallTimeout.rounded(.up))) s", hasBegunReply: transfer.hasBegunReply)
            }
            // Returns early if the socket is ready, at libcurl's own deadlines, or after `wake`.
            curl_multi_poll(multi, nil, 0, Int32(min(rest * 1000 + 1, 60_000)), nil)
        }
    }

    private func finish(_ transfer: Transfer, _ origin: Origin) throws -> HTTPReply {
        var code = CURLE_OK
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi, &left) {
            if message.pointee.msg == CURLMSG_DONE { code = clairo_curl_message_result(message) }
        }
        if transfer.isTooLarge {
            throw CurlError(
                .tooLarge, code: code, origin: origin.description, "the reply is too large", hasBegunReply: true)
        }
        guard code == CURLE_OK, let reply = transfer.reply else {
            throw CurlError(
                code: code == CURLE_OK ? CURLE_GOT_NOTHING : code, detail: String(cString: errorBuffer),
                origin: origin.description, hasBegunReply: transfer.hasBegunReply)
        }
        return reply
    }

    // MARK: Options

    private func set(
        _ request: HTTPRequest, _ transfer: Transfer, _ configuration: HTTPClient.Configuration, _ origin: Origin
    ) {
        curl_easy_reset(easy)
        errorBuffer[0] = 0
        clairo_curl_set_pointer(easy, CURLOPT_ERRORBUFFER, errorBuffer)
        text(CURLOPT_URL, request.url)
        long(CURLOPT_PATH_AS_IS, 1)
        text(CURLOPT_PROTOCOLS_STR, "http,https")
        text(CURLOPT_REDIR_PROTOCOLS_STR, "http,https")
        long(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1)
        // libcurl must not change the program's signal handlers. It need not: since 7.87 it writes to all sockets with
        // MSG_NOSIGNAL, also for TLS.
        long(CURLOPT_NOSIGNAL, 1)
        // Do not wait for name resolution after a cancellation.
        long(CURLOPT_QUICK_EXIT, 1)
        long(CURLOPT_CONNECTTIMEOUT_MS, Int(request.connectTimeout * 1000))
        long(CURLOPT_TCP_KEEPALIVE, 1)
        long(CURLOPT_MAXAGE_CONN, idleLifetime)
        long(CURLOPT_FRESH_CONNECT, request.reusesConnection ? 0 : 1)
        long(CURLOPT_BUFFERSIZE, configuration.bufferSize)
        long(CURLOPT_UPLOAD_BUFFERSIZE, configuration.bufferSize)
        long(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        long(CURLOPT_FOLLOWLOCATION, request.redirects > 0 ? 1 : 0)
        long(CURLOPT_MAXREDIRS, request.redirects)
        text(CURLOPT_USERAGENT, configuration.userAgent)
        if let path = request.unixSocket {
            text(CURLOPT_UNIX_SOCKET_PATH, path)
            text(CURLOPT_PROXY, "")
        } else {
            text(CURLOPT_PROXY, Proxy.url(for: origin.scheme, configuration.environment))
            text(CURLOPT_NOPROXY, Proxy.exceptions(configuration.environment))
        }
        let bundles = ["AWS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"]
        if let file = Proxy.first(bundles, configuration.environment) { text(CURLOPT_CAINFO, file) }
        if let folder = configuration.environment["SSL_CERT_DIR"], !folder.isEmpty { text(CURLOPT_CAPATH, folder) }
        setMethod(request.method, length: transfer.uploadLength)
        setCallbacks(transfer)
    }

    /// Sets the method and the length of the body. Any body is sent as an upload, because libcurl reads an upload piece
    /// by piece.
    /// - Parameter length: The length in bytes, -1 if unknown, nil without a body.
    private func setMethod(_ method: String, length: Int64?) {
        if let length {
            long(CURLOPT_UPLOAD, 1)
            clairo_curl_set_off(easy, CURLOPT_INFILESIZE_LARGE, curl_off_t(length))
        } else if method == "HEAD" {
            long(CURLOPT_NOBODY, 1)
        } else if ["POST", "PUT", "PATCH"].contains(method) {
            // These methods send Content-Length even for an empty body (RFC 9110 section 8.6).
            long(CURLOPT_UPLOAD, 1)
            clairo_curl_set_off(easy, CURLOPT_INFILESIZE_LARGE, 0)
        } else {
            long(CURLOPT_HTTPGET, 1)
        }
        if method != "HEAD" { text(CURLOPT_CUSTOMREQUEST, method) }
    }

    private func setCallbacks(_ transfer: Transfer) {
        let context = Unmanaged.passUnretained(transfer).toOpaque()
        clairo_curl_set_pointer(easy, CURLOPT_READDATA, context)
        clairo_curl_set_pointer(easy, CURLOPT_WRITEDATA, context)
        clairo_curl_set_pointer(easy, CURLOPT_HEADERDATA, context)
        clairo_curl_set_pointer(easy, CURLOPT_SEEKDATA, context)
        clairo_curl_set_transfer(easy, CURLOPT_READFUNCTION) { bytes, size, count, context in
            guard let bytes, let context else { return clairo_curl_readfunc_abort }
            let buffer = UnsafeMutableRawBufferPointer(start: bytes, count: size * count)
            return Channel.transfer(context).read(into: buffer) ?? clairo_curl_readfunc_abort
        }
        clairo_curl_set_transfer(easy, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
            guard let bytes, let context else { return 0 }
            let piece = UnsafeRawBufferPointer(start: bytes, count: size * count)
            return Channel.transfer(context).write(piece) ? piece.count : 0
        }
        clairo_curl_set_transfer(easy, CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
            guard let bytes, let context else { return 0 }
            let line = UnsafeRawBufferPointer(start: bytes, count: size * count)
            Channel.transfer(context).readHeader(line)
            return line.count
        }
        clairo_curl_set_seek(easy) { context, offset, origin in
            guard let context, origin == SEEK_SET else { return CURL_SEEKFUNC_CANTSEEK }
            return Channel.transfer(context).rewind(to: Int64(offset)) ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_CANTSEEK
        }
    }

    private static func transfer(_ context: UnsafeMutableRawPointer) -> Transfer {
        Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
    }

    /// The header fields as a libcurl list, which the caller frees. Contains an empty `Expect:`, without which libcurl
    /// would wait a second for "100 Continue".
    private func list(
        _ request: HTTPRequest, _ configuration: HTTPClient.Configuration, _ origin: Origin
    ) throws(CurlError) -> UnsafeMutablePointer<curl_slist>? {
        var lines: [String] = request.headers["Expect"] == nil ? ["Expect:"] : []
        for field in request.headers {
            guard !field.name.isEmpty, !(field.name + field.value).unicodeScalars.contains(where: { $0.value < 32 })
            else {
                throw CurlError(.badRequest, origin: origin.description, "a header field contains a control character")
            }
            // libcurl requires a semicolon after the name of a field without a value (CURLOPT_HTTPHEADER(3)).
            lines.append(field.value.isEmpty ? "\(field.name);" : "\(field.name): \(field.value)")
        }
        var list: UnsafeMutablePointer<curl_slist>?
        for line in lines { list = curl_slist_append(list, line) }
        return list
    }

    private func long(_ option: CURLoption, _ value: Int) { clairo_curl_set_long(easy, option, value) }

    /// Sets an option to a string, of which libcurl keeps a copy.
    private func text(_ option: CURLoption, _ value: String) { clairo_curl_set_text(easy, option, value) }
}

/// Detects a stalled transfer: one that averages less than one byte per second over `limit` seconds. Time spent in the
/// caller's closures does not count.
struct StallWatch {
    private let limit: Double
    private var start: Double
    private var bytes = 0
    private var pause = 0.0

    /// - Parameter now: Seconds on a monotonic clock, as in `remaining`.
    init(limit: Double, at now: Double) { (self.limit, start) = (limit, now) }

    /// Seconds until the transfer counts as stalled.
    /// - Parameters:
    ///   - total: Bytes sent and received since the start.
    ///   - seconds: Time spent in closures since the start.
    mutating func remaining(at now: Double, bytes total: Int, inClosures seconds: Double) -> Double {
        if total - bytes >= max(1, Int(limit)) { (start, bytes, pause) = (now, total, seconds) }
        return limit - (now - start - (seconds - pause))
    }
}
