internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import NIOHTTPTypes

/// Reads a request body and enforces length, rate and completeness. Not Sendable: the request's task owns it.
final class RequestBodyReader {
    /// The maximum number of unread bytes on a connection that stays open.
    private static let mostUnread: Int64 = 64 << 10
    /// The number of pieces after which other requests get their turn.
    private static let piecesPerTurn = 64

    /// The body's length in bytes, or nil if it is chunked. Values too large for Int64 are clamped.
    let contentLength: Int64?
    let isChunked: Bool
    let sender: BodySender
    private let channel: any Channel
    private let expectsContinue: Bool
    private let body: RequestBody
    private var iterator: RequestBody.AsyncIterator?
    private var pieces = 0
    private(set) var bytes: Int64 = 0
    private var isAtEnd = false

    init(_ request: Request, channel: any Channel, sender: BodySender) {
        self.channel = channel
        self.sender = sender
        body = request.body
        contentLength = request.headers[.contentLength].map { Int64($0) ?? .max }
        isChunked = request.headers[.transferEncoding] != nil
        expectsContinue = request.headers[.expect]?.lowercased() == "100-continue"
    }

    deinit { sender.finish() }

    /// Whether the request has a body, possibly empty.
    var isPresent: Bool { contentLength != nil || isChunked }

    /// Whether too much of the body is unread to keep the connection open.
    var isLeftUnread: Bool {
        guard isPresent, !isAtEnd else { return false }
        guard let contentLength else { return true }
        return contentLength - bytes > Self.mostUnread || expectsContinue && contentLength > 0
    }

    /// The next bytes, or nil at the end of the body.
    /// - Throws: 400 if the client disconnected, or the reason for which the server stopped reading: 408, 409 or 503.
    func next() async throws(APIError) -> ByteBuffer? {
        if isAtEnd || !isPresent { return nil }
        if iterator == nil {
            iterator = body.makeAsyncIterator()
            if expectsContinue {
                let head = HTTPResponsePart.head(HTTPResponse(status: .continue))
                channel.writeAndFlush(head, promise: nil)
            }
            sender.watch()
        }
        pieces += 1
        // A sender that is never waited for would keep its thread.
        if pieces.isMultiple(of: Self.piecesPerTurn) { await Task.yield() }
        sender.beginWait()
        let piece: ByteBuffer?
        do {
            piece = try await iterator?.next()
        } catch {
            sender.endWait(bytes: 0)
            throw failure
        }
        sender.endWait(bytes: piece?.readableBytes ?? 0)
        guard let piece else {
            // A lost connection also ends the sequence.
            if contentLength.map({ $0 != bytes }) ?? (sender.reason != nil) || Task.isCancelled { throw failure }
            sender.finish()
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
        switch sender.reason {
        case nil: .disconnected
        case .tooSlow: APIError(.requestTimeout, "too_slow", "The body arrived too slowly")
        case .slotNeeded: .busy("Other uploads need the slot of this slow one; try again later", retryAfter: 5)
        case .takenOver: .superseded
        }
    }
}
