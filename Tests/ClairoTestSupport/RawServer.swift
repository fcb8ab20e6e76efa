public import Foundation
internal import Glibc
internal import Synchronization

/// A server with replies that a test scripts byte by byte, including malformed ones.
public final class RawServer: Sendable {
    public enum Address: Sendable {
        /// A free port on the loopback address.
        case loopback
        case unixSocket(path: String)
    }

    public struct CannotListen: Error {
        public var code: Int32
    }

    public let port: UInt16
    private let listener: Int32
    private let script: @Sendable (RawConnection) -> Void
    private let state = Mutex(State())
    /// Tracks the connections' threads.
    private let threads = DispatchGroup()

    private struct State {
        var isStopped = false
        var connections: [Int32] = []
        var accepted = 0
    }

    /// - Parameter script: Runs on its own thread for each connection, which is closed when it returns.
    public init(_ address: Address = .loopback, script: @escaping @Sendable (RawConnection) -> Void) throws {
        self.script = script
        switch address {
        case .loopback: (listener, port) = try Self.listen()
        case .unixSocket(let path): (listener, port) = (try Self.listen(at: path), 0)
        }
        let thread = Thread { [self] in accept() }
        thread.start()
    }

    public var url: String { "http://127.0.0.1:\(port)" }

    /// The number of accepted connections.
    public var connections: Int { state.withLock { $0.accepted } }

    /// Closes the listener and all connections, and waits until their scripts have returned.
    public func stop() {
        state.withLock { state in
            guard !state.isStopped else { return }
            state.isStopped = true
            for connection in state.connections { shutdown(connection, Int32(SHUT_RDWR)) }
            shutdown(listener, Int32(SHUT_RDWR))
        }
        threads.wait()
    }

    deinit { stop() }

    /// Runs until `stop`. It closes the listener itself: if another thread did, the descriptor might be reused by
    /// another server, and this thread would accept its connections.
    private func accept() {
        defer { close(listener) }
        while true {
            let descriptor = Glibc.accept(listener, nil, nil)
            if descriptor < 0 {
                if errno == EINTR { continue }
                return
            }
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            let isWanted = state.withLock { state in
                state.accepted += 1
                if !state.isStopped {
                    state.connections.append(descriptor)
                    threads.enter()
                }
                return !state.isStopped
            }
            guard isWanted else {
                close(descriptor)
                return
            }
            let thread = Thread { [self] in
                defer { threads.leave() }
                script(RawConnection(descriptor))
                // Under the lock, so that `stop` never closes a reused descriptor.
                state.withLock { state in
                    state.connections.removeAll { $0 == descriptor }
                    close(descriptor)
                }
            }
            thread.start()
        }
    }

    private static func listen() throws -> (Int32, UInt16) {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        _ = fcntl(listener, F_SETFD, FD_CLOEXEC)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(listener, generic, length) == 0 && Glibc.listen(listener, 64) == 0
                    && getsockname(listener, generic, &length) == 0
            }
        }
        guard isListening else { throw CannotListen(code: errno) }
        return (listener, UInt16(bigEndian: address.sin_port))
    }

    private static func listen(at path: String) throws -> Int32 {
        let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        _ = fcntl(listener, F_SETFD, FD_CLOEXEC)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        let isListening = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(listener, generic, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
                    && Glibc.listen(listener, 64) == 0
            }
        }
        guard isListening else { throw CannotListen(code: errno) }
        return listener
    }
}

/// A connection of a `RawServer`, on its own thread.
public final class RawConnection {
    private let descriptor: Int32
    /// Bytes received after the last request head.
    private var pending = Data()

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    public struct Head: Sendable {
        public var method: String
        public var target: String
        /// By lower-case name.
        public var headers: [String: String]

        public var length: Int { Int(headers["content-length"] ?? "") ?? 0 }
    }

    /// The next request's head, or nil if the client has disconnected.
    public func readHead() -> Head? {
        let end = Data("\r\n\r\n".utf8)
        while pending.range(of: end) == nil { guard receive() else { return nil } }
        guard let range = pending.range(of: end) else { return nil }
        let lines = String(decoding: pending[..<range.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
        pending = Data(pending[range.upperBound...])
        let request = lines[0].split(separator: " ").map(String.init)
        guard request.count == 3 else { return nil }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces) }
        }
        return Head(method: request[0], target: request[1], headers: headers)
    }

    /// Up to `count` bytes of a body; fewer if the client has disconnected.
    public func read(_ count: Int) -> Data {
        while pending.count < count { guard receive() else { break } }
        let data = Data(pending.prefix(count))
        pending = Data(pending.dropFirst(count))
        return data
    }

    /// A body in chunked transfer coding (RFC 9112 section 7.1), without trailers.
    public func readChunks() -> Data {
        var body = Data()
        while true {
            let end = Data("\r\n".utf8)
            while pending.range(of: end) == nil { guard receive() else { return body } }
            guard let range = pending.range(of: end),
                let count = Int(String(decoding: pending[..<range.lowerBound], as: UTF8.self), radix: 16)
            else { return body }
            pending = Data(pending[range.upperBound...])
            body += read(count)
            _ = read(2)
            if count == 0 { return body }
        }
    }

    /// - Returns: Whether the client received it.
    @discardableResult
    public func send(_ data: Data) -> Bool {
        data.withUnsafeBytes { bytes in
            var done = 0
            while done < bytes.count {
                let sent = Glibc.send(
                    descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done, Int32(MSG_NOSIGNAL))
                if sent <= 0 { return false }
                done += sent
            }
            return true
        }
    }

    @discardableResult
    public func send(_ text: String) -> Bool { send(Data(text.utf8)) }

    /// Sends a complete reply.
    @discardableResult
    public func reply(_ status: Int, headers: [(String, String)] = [], body: Data = Data()) -> Bool {
        let lines = headers.map { "\($0.0): \($0.1)\r\n" }.joined()
        return send(Data("HTTP/1.1 \(status) Status\r\nContent-Length: \(body.count)\r\n\(lines)\r\n".utf8) + body)
    }

    /// Waits until the client disconnects.
    public func waitForEnd() { while receive() { pending = Data() } }

    /// Waits until the server is stopped, without reading.
    public func waitForStop() {
        var watched = pollfd(fd: descriptor, events: 0, revents: 0)
        while poll(&watched, 1, -1) < 0, errno == EINTR {}
    }

    /// Resets the connection, as after a crash.
    public func reset() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
    }

    private func receive() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        if count > 0 { pending.append(contentsOf: buffer[..<count]) }
        return count > 0
    }
}
