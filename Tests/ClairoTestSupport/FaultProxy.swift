internal import Foundation
internal import Synchronization

/// An HTTP proxy between a client and a local server that injects faults.
///
/// The client connects to the proxy as if it were the server and signs for its address; the `Host` header is forwarded
/// unchanged. A request that matches no rule is forwarded. Bodies need a `Content-Length`, as for S3. The proxy uses no
/// timeouts: a stalled request stays stalled until `release`.
public final class FaultProxy: Sendable {
    public enum Fault: Sendable, Hashable {
        /// Resets the connection after reading this many bytes of the request body, or all if nil. Nothing reaches the
        /// server.
        case cutRequest(after: Int?)
        /// Forwards the request's head and this many bytes of its body, then resets both connections.
        case cutForwarded(after: Int)
        /// Lets the server handle the request, then resets the connection instead of forwarding the reply.
        case dropReply
        /// Forwards the reply's head and this many bytes of its body, then resets the connection.
        case cutReply(after: Int)
        /// The same, but closes the connection in an orderly way.
        case truncateReply(after: Int)
        /// Truncates the reply's body and adapts `Content-Length`, so that the reply looks complete.
        case shortenReply(to: Int)
        /// Replies in place of the server with an S3 error such as 503 `SlowDown`. Status 200 simulates late failures
        /// of CompleteMultipartUpload and CopyObject.
        case answer(status: Int, code: String)
        /// Reads the request and does not reply until `release`, which resets the connection.
        case stall
        /// Forwards the reply's head and this many bytes of its body, then stalls until `release`, which resets the
        /// connection.
        case stallReply(after: Int)
    }

    /// A fault and the requests it applies to.
    public struct Rule: Sendable {
        var fault: Fault
        var skipping: Int
        var times: Int
        var holds: @Sendable (HTTPRequest) -> Bool

        /// - Parameters:
        ///   - skipping: The number of matching requests that pass first.
        ///   - times: The number of matching requests after those that get the fault.
        ///   - holds: Whether the rule matches a request.
        public init(
            _ fault: Fault, skipping: Int = 0, times: Int = 1,
            where holds: @escaping @Sendable (HTTPRequest) -> Bool = { _ in true }
        ) {
            self.fault = fault
            self.skipping = skipping
            self.times = times
            self.holds = holds
        }

        /// - Parameters:
        ///   - path: The end of the path, percent-encoded.
        ///   - query: A part of the query, such as `uploadId=`.
        public init(
            _ fault: Fault, _ method: String, path: String = "", query: String = "", skipping: Int = 0, times: Int = 1
        ) {
            self.init(fault, skipping: skipping, times: times) { request in
                request.method == method && request.path.hasSuffix(path)
                    && (query.isEmpty || request.query.contains(query))
            }
        }
    }

    /// A request that the proxy received.
    public struct Exchange: Sendable {
        public var request: HTTPRequest
        /// The injected fault, if any.
        public var fault: Fault?
    }

    private struct State {
        var rules: [Rule] = []
        var exchanges: [Exchange] = []
        var waiters: [@Sendable ([Exchange]) -> Bool] = []
    }

    private let listener: Listener
    private let upstream: UInt16
    private let state = Mutex(State())
    private let gate = Gate()

    /// - Parameter port: The server's port on 127.0.0.1.
    public init(to port: UInt16, _ rules: [Rule] = []) throws {
        upstream = port
        listener = try Listener()
        state.withLock { $0.rules = rules }
        listener.start { [self] connection in while serve(connection) {} }
    }

    public var port: UInt16 { listener.port }
    public var endpoint: String { "http://127.0.0.1:\(port)" }

    /// All requests so far, in order.
    public var exchanges: [Exchange] { state.withLock { $0.exchanges } }

    /// Appends rules. The first matching rule applies.
    public func add(_ rules: Rule...) { state.withLock { $0.rules += rules } }

    public func removeRules() { state.withLock { $0.rules = [] } }

    /// Waits for the first request that satisfies `isWanted`, for example a stalled one.
    public func exchange(where isWanted: @escaping @Sendable (Exchange) -> Bool) async -> Exchange {
        await withCheckedContinuation { continuation in
            let waiter: @Sendable ([Exchange]) -> Bool = { exchanges in
                guard let found = exchanges.first(where: isWanted) else { return false }
                continuation.resume(returning: found)
                return true
            }
            state.withLock { if !waiter($0.exchanges) { $0.waiters.append(waiter) } }
        }
    }

    /// Resets stalled connections and disables stalling.
    public func release() { gate.open() }

    /// Stops accepting connections and releases stalled ones. Call once.
    public func stop() {
        release()
        listener.stop()
    }

    // MARK: Requests

    /// - Returns: Whether the connection may carry another request.
    private func serve(_ client: Connection) -> Bool {
        guard var head = HTTPHead(from: client) else { return false }
        let request = HTTPRequest(head)
        let fault = record(request)
        let isLast = head["connection"]?.lowercased() == "close"
        var expectsContinue = head["expect"] != nil
        head.remove("expect")
        head.remove("connection")
        head.headers.append(("Connection", "close"))

        /// Reads the body piece by piece, up to `limit` bytes.
        func body(atMost limit: Int? = nil, to receive: (Data) -> Bool = { _ in true }) -> Bool {
            if expectsContinue { client.write(Data("HTTP/1.1 100 Continue\r\n\r\n".utf8)) }
            expectsContinue = false
            var left = min(head.length, limit ?? .max)
            while left > 0 {
                guard let piece = client.read(atMost: left), receive(piece) else { return false }
                left -= piece.count
            }
            return true
        }

        guard !head.isChunked else {
            client.write(HTTPResponse(411).data)
            return false
        }
        switch fault {
        case .cutRequest(let limit):
            _ = body(atMost: limit)
            client.reset()
            return false
        case .stall:
            _ = body()
            gate.wait()
            client.reset()
            return false
        case .answer(let status, let code):
            let answer = Self.answer(status, code)
            return body() && client.write(request.method == "HEAD" ? answer.head : answer.data) && !isLast
        default: break
        }

        guard let server = try? Connection.open(port: upstream) else {
            client.write(HTTPResponse(502).data)
            return false
        }
        server.write(head.data)
        if case .cutForwarded(let limit) = fault {
            _ = body(atMost: limit, to: server.write)
            server.reset()
            client.reset()
            return false
        }
        // A server that replies early, for example with 403, stops reading; its reply counts.
        _ = body(to: server.write)
        return passOn(from: server, to: client, isHead: request.method == "HEAD", fault) && !isLast
    }

    private func record(_ request: HTTPRequest) -> Fault? {
        state.withLock { state in
            var fault: Fault?
            if let index = state.rules.firstIndex(where: { $0.times > 0 && $0.holds(request) }) {
                if state.rules[index].skipping > 0 {
                    state.rules[index].skipping -= 1
                } else {
                    state.rules[index].times -= 1
                    fault = state.rules[index].fault
                }
            }
            state.exchanges.append(Exchange(request: request, fault: fault))
            let exchanges = state.exchanges
            state.waiters.removeAll { $0(exchanges) }
            return fault
        }
    }

    private func passOn(from server: Connection, to client: Connection, isHead: Bool, _ fault: Fault?) -> Bool {
        guard var head = HTTPHead(from: server) else {
            client.reset()
            return false
        }
        head.remove("connection")
        let status = head.start.split(separator: " ").dropFirst().first.map(String.init) ?? ""
        let hasBody = !isHead && status != "204" && status != "304"
        let isDelimited = !hasBody || head["content-length"] != nil || head.isChunked
        if !isDelimited { head.headers.append(("Connection", "close")) }

        /// - Returns: Whether all bytes were read and written.
        func copy(atMost limit: Int = .max) -> Bool {
            var left = limit
            while left > 0, let piece = server.read(atMost: left) {
                guard client.write(piece) else { return false }
                left -= piece.count
            }
            return left == 0 || limit == .max
        }

        switch fault {
        case .dropReply:
            while server.read() != nil {}
            client.reset()
            return false
        case .cutReply(let limit), .truncateReply(let limit), .stallReply(let limit):
            client.write(head.data)
            _ = copy(atMost: limit)
            if case .truncateReply = fault { return false }
            if case .stallReply = fault { gate.wait() }
            client.reset()
            return false
        case .shortenReply(let length):
            head.remove("content-length")
            head.remove("transfer-encoding")
            head.headers.append(("Content-Length", "\(length)"))
            return client.write(head.data) && copy(atMost: length)
        default:
            guard client.write(head.data) else { return false }
            guard hasBody else { return true }
            let length = head["content-length"].flatMap(Int.init) ?? .max
            guard copy(atMost: length) else {
                client.reset()
                return false
            }
            return isDelimited
        }
    }

    private static func answer(_ status: Int, _ code: String) -> HTTPResponse {
        HTTPResponse(
            status,
            Data(
                """
                <?xml version="1.0" encoding="UTF-8"?>
                <Error><Code>\(code)</Code><Message>As the test wants it</Message><RequestId>0</RequestId></Error>
                """.utf8),
            headers: ["content-type": "application/xml"])
    }

    /// A gate that stays open once opened.
    private final class Gate: Sendable {
        private let condition = NSCondition()
        private let isOpen = Mutex(false)

        func wait() {
            condition.lock()
            while !isOpen.withLock({ $0 }) { condition.wait() }
            condition.unlock()
        }

        func open() {
            condition.lock()
            isOpen.withLock { $0 = true }
            condition.broadcast()
            condition.unlock()
        }
    }
}
