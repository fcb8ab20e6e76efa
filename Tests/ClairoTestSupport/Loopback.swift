internal import Foundation
internal import Glibc

/// A loopback TCP connection with blocking reads and writes. Used by one thread at a time.
final class Connection {
    private let descriptor: Int32
    private var buffer = Data()
    private var isOpen = true

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    }

    deinit { close() }

    static func open(port: UInt16) throws -> Connection {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = loopbackAddress(port)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        let connection = Connection(descriptor)
        guard result == 0 else { throw ConnectionError(what: "connect to 127.0.0.1:\(port)", code: errno) }
        return connection
    }

    func close() {
        if isOpen { Glibc.close(descriptor) }
        isOpen = false
    }

    /// Closes the connection so that the peer sees an error, not an end.
    func reset() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
        close()
    }

    /// Reads up to `limit` bytes; nil at the end or after an error.
    func read(atMost limit: Int = 1 << 16) -> Data? {
        if !buffer.isEmpty {
            let piece = buffer.prefix(limit)
            buffer = Data(buffer.dropFirst(limit))
            return Data(piece)
        }
        return receive(limit)
    }

    /// Reads up to and including `end`; nil if it does not arrive.
    func read(through end: String) -> Data? {
        while true {
            if let range = buffer.range(of: Data(end.utf8)) {
                let found = Data(buffer[..<range.upperBound])
                buffer = Data(buffer[range.upperBound...])
                return found
            }
            guard buffer.count < 1 << 20, let more = receive(1 << 16) else { return nil }
            buffer += more
        }
    }

    private func receive(_ limit: Int) -> Data? {
        var bytes = [UInt8](repeating: 0, count: min(limit, 1 << 16))
        while true {
            let count = recv(descriptor, &bytes, bytes.count, 0)
            if count < 0, errno == EINTR { continue }
            return count > 0 ? Data(bytes[..<count]) : nil
        }
    }

    /// - Returns: Whether all bytes were sent.
    @discardableResult
    func write(_ data: Data) -> Bool {
        data.withUnsafeBytes { bytes in
            var done = 0
            while done < bytes.count {
                let sent = send(
                    descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done, Int32(MSG_NOSIGNAL))
                if sent < 0, errno == EINTR { continue }
                if sent <= 0 { return false }
                done += sent
            }
            return true
        }
    }
}

public struct ConnectionError: Error, CustomStringConvertible {
    public var what: String
    public var code: Int32
    public var description: String { "cannot \(what): \(String(cString: strerror(code)))" }
}

/// A TCP server on a free loopback port, with a thread for each connection.
final class Listener: Sendable {
    let port: UInt16
    private let descriptor: Int32

    init() throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        var address = loopbackAddress(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { [descriptor] pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                [bind(descriptor, generic, length), listen(descriptor, 64), getsockname(descriptor, generic, &length)]
                    .min() ?? -1
            }
        }
        guard result == 0 else { throw ConnectionError(what: "listen", code: errno) }
        port = UInt16(bigEndian: address.sin_port)
    }

    /// Calls `serve` for each connection on its own thread, then closes the connection.
    func start(_ serve: @escaping @Sendable (Connection) -> Void) {
        // The thread closes the listener itself: if another thread did, the descriptor might be reused by another
        // server, and this thread would accept its connections.
        let thread = Thread { [descriptor] in
            defer { close(descriptor) }
            while true {
                let connection = accept(descriptor, nil, nil)
                if connection < 0 {
                    if errno == EINTR { continue }
                    return
                }
                let thread = Thread {
                    let connection = Connection(connection)
                    serve(connection)
                    connection.close()
                }
                thread.start()
            }
        }
        thread.start()
    }

    /// Stops accepting connections. Call once.
    func stop() { shutdown(descriptor, Int32(SHUT_RDWR)) }
}

private func loopbackAddress(_ port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    address.sin_port = port.bigEndian
    return address
}
