internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import NIOHTTPTypes
internal import Synchronization

/// Reads a request body and enforces length, rate and completeness. Not Sendable: the request's task owns it.
final class RequestBodyReader {
    /// The maximum number of unread bytes on a connection that stays open.
    private static let mostUnread: Int64 = 64 << 10

    /// The body's length in bytes, or nil if it is chunked. Values too large for Int64 are clamped.
    let contentLength: Int64?
    let isChunked: Bool
    private let channel: any Channel
    private let meter: SharedMeter
    private let expectsContinue: Bool
    private let body: RequestBody
    private var iterator: RequestBody.AsyncIterator?
    private var watch: RepeatedTask?
    private(set) var bytes: Int64 = 0
    private var isAtEnd = false

    /// - Parameter now: A monotonic clock.
    init(_ request: Request, channel: any Channel, meter: IngressMeter, now: @escaping @Sendable () -> Duration) {
        self.channel = channel
        self.meter = SharedMeter(meter, now: now)
        body = request.body
        contentLength = request.headers[.contentLength].map { Int64($0) ?? .max }
        isChunked = request.headers[.transferEncoding] != nil
        expectsContinue = request.headers[.expect]?.lowercased() == "100-continue"
    }

    deinit { watch?.cancel() }

    /// Whether the request has a body, possibly empty.
    var isPresent: Bool { contentLength != nil || isChunked }

    /// Whether too much of the body is unread to keep the connection open.
    var isLeftUnread: Bool {
        guard isPresent, !isAtEnd else { return false }
        guard let contentLength else { return true }
        return contentLength - bytes > Self.mostUnread || expectsContinue && contentLength > 0
    }

    /// The next bytes, or nil at the end of the body.
    /// - Throws: 400 if the client disconnected, 408 if it was too slow.
    func next() async throws(APIError) -> ByteBuffer? {
        if isAtEnd || !isPresent { return nil }
        if iterator == nil {
            iterator = body.makeAsyncIterator()
            if expectsContinue {
                let head = HTTPResponsePart.head(HTTPResponse(status: .continue))
                channel.writeAndFlush(head, promise: nil)
            }
            let (meter, channel) = (meter, channel)
            watch = channel.eventLoop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in
                // Close only the input: that ends the wait, and a response can still be sent.
                if meter.check() { channel.close(mode: .input, promise: nil) }
            }
        }
        meter.beginWait()
        let piece: ByteBuffer?
        do {
            piece = try await iterator?.next()
        } catch {
            throw failure
        }
        meter.endWait(bytes: piece?.readableBytes ?? 0)
        guard let piece else {
            watch?.cancel()
            // A lost connection also ends the sequence.
            if meter.isTooSlow || contentLength.map({ $0 != bytes }) == true || Task.isCancelled { throw failure }
            isAtEnd = true
            return nil
        }
        bytes += Int64(piece.readableBytes)
        return piece
    }

    /// Reads a whole body of at most `limit` bytes.
    /// - Throws: 413 if it is larger, and the errors of `next`.
    func collect(upTo limit: Int) async throws(APIError) -> ByteBuffer {
        let tooLarge = APIError(.contentTooLarge, "too_large", "The body may have at most \(limit) bytes")
        if contentLength ?? 0 > limit { throw tooLarge }
        var whole = ByteBuffer()
        while var piece = try await next() {
            guard whole.readableBytes + piece.readableBytes <= limit else { throw tooLarge }
            whole.writeBuffer(&piece)
        }
        return whole
    }

    private var failure: APIError {
        meter.isTooSlow ? APIError(.requestTimeout, "too_slow", "The body arrived too slowly") : .disconnected
    }
}

/// The meter, shared by the request's task and a timer.
private final class SharedMeter: Sendable {
    private let meter: Mutex<IngressMeter>
    private let now: @Sendable () -> Duration

    init(_ meter: IngressMeter, now: @escaping @Sendable () -> Duration) {
        self.meter = Mutex(meter)
        self.now = now
    }

    var isTooSlow: Bool { meter.withLock { $0.isTooSlow } }
    func beginWait() { meter.withLock { $0.beginWait(at: now()) } }
    func endWait(bytes: Int) { meter.withLock { $0.endWait(at: now(), bytes: bytes) } }
    func check() -> Bool { meter.withLock { $0.check(at: now()) } }
}
