internal import CCurl
internal import Foundation

/// How the body of a reply is received: streamed to a closure, or collected up to a limit in bytes.
struct ResponseReceiver {
    var limit: Int
    var receive: ((HTTPHead, UnsafeRawBufferPointer) throws -> Void)?
}

/// The state of one transfer, used by libcurl's callbacks. These run only inside `curl_multi_perform`, and therefore on
/// the caller's thread. Errors in a callback are stashed and rethrown after the C call.
final class Transfer {
    private let body: HTTPBody
    private let receiver: ResponseReceiver
    private var sent = 0
    private var collected = Data()
    private var statusLine = 0
    private var headers = HTTPHeaders()
    private(set) var head: HTTPHead?
    private(set) var stash: (any Error)?
    private(set) var isTooLarge = false
    /// Bytes sent and received, for stall detection.
    private(set) var bytes = 0
    private(set) var secondsInClosures = 0.0

    init(body: HTTPBody, receiver: ResponseReceiver) {
        self.body = body
        self.receiver = receiver
    }

    var hasBegunReply: Bool { statusLine > 0 }

    var reply: HTTPReply? { head.map { HTTPReply(head: $0, body: collected) } }

    /// The length of the body to send in bytes: -1 if unknown, nil without a body.
    var uploadLength: Int64? {
        switch body {
        case .none: nil
        case .data(let data): Int64(data.count)
        case .stream(let length, _): length ?? -1
        }
    }

    // MARK: Sending

    /// - Returns: The number of bytes written to the buffer, or nil to abort.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        var count = 0
        switch body {
        case .none: break
        case .data(let data):
            count = min(buffer.count, data.count - sent)
            if count > 0 {
                let start = data.startIndex + sent
                data.copyBytes(to: buffer, from: start..<start + count)
            }
        case .stream(_, let read):
            guard let read = attempt({ try read(buffer) }) else { return nil }
            count = read
        }
        sent += count
        bytes += count
        return count
    }

    /// Continues the body at `offset`. libcurl calls this to resend a request after an idle connection proved dead.
    /// - Returns: False if that is impossible.
    func rewind(to offset: Int64) -> Bool {
        if case .data(let data) = body, offset >= 0, offset <= data.count {
            sent = Int(offset)
            return true
        }
        return offset == Int64(sent)
    }

    // MARK: Receiving

    func readHeader(_ line: UnsafeRawBufferPointer) {
        bytes += line.count
        // Names and values should be ASCII. Invalid UTF-8 becomes replacement characters.
        let text = String(decoding: line, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        if text.hasPrefix("HTTP/") {
            statusLine = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
            headers = HTTPHeaders()
        } else if text.isEmpty {
            // Trailers also end with an empty line, after the body. They are added to the headers.
            if statusLine >= 200 { head = HTTPHead(status: statusLine, headers: headers) }
        } else if let colon = text.firstIndex(of: ":") {
            headers.append(
                String(text[..<colon]), text[text.index(after: colon)...].trimmingCharacters(in: .whitespaces))
        }
    }

    /// - Returns: Whether to continue.
    func write(_ piece: UnsafeRawBufferPointer) -> Bool {
        bytes += piece.count
        guard let head else { return false }
        if let receive = receiver.receive {
            if head.isSuccess { return attempt { try receive(head, piece) } != nil }
            collected.append(contentsOf: piece.prefix(max(0, receiver.limit - collected.count)))
            return true
        }
        guard piece.count <= receiver.limit - collected.count else {
            isTooLarge = true
            return false
        }
        // Content-Length is only a hint, so never reserve more than the limit, or 16 MiB.
        if collected.isEmpty, let length = head.headers["Content-Length"].flatMap({ Int($0) }), length > 0 {
            collected.reserveCapacity(min(length, receiver.limit, 16 << 20))
        }
        collected.append(contentsOf: piece)
        return true
    }

    private func attempt<R>(_ body: () throws -> R) -> R? {
        let start = Clock.now
        defer { secondsInClosures += Clock.now - start }
        do {
            return try body()
        } catch {
            stash = error
            return nil
        }
    }
}

/// Seconds on the monotonic clock.
enum Clock {
    static var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
