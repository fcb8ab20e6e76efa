public import Foundation
internal import Glibc
internal import Synchronization

/// A small HTTP/1.1 server on the loopback address, for a browser that is to play what lies in a folder.
///
/// It answers GET and ranges, and keeps what is posted to it, so that a page can report to the test that waits for it.
public final class LocalServer: Sendable {
    public let port: UInt16
    private let listener: Int32
    private let folder: String
    private let pages: [String: String]
    private let state = Mutex(State())

    private struct State {
        var posts: [Data] = []
        var requests: [String] = []
        var waiters: [CheckedContinuation<Data, Never>] = []
    }

    public struct CannotListen: Error {
        public var code: Int32
    }

    /// - Parameter pages: HTML by path, in front of the files of the folder.
    public init(folder: String, pages: [String: String] = [:]) throws {
        self.folder = folder
        self.pages = pages
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        _ = fcntl(listener, F_SETFD, FD_CLOEXEC)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                [bind(listener, generic, length), listen(listener, 64), getsockname(listener, generic, &length)].min()
                    ?? -1
            }
        }
        guard result == 0 else { throw CannotListen(code: errno) }
        self.listener = listener
        port = UInt16(bigEndian: address.sin_port)
        let thread = Thread { [self] in accept() }
        thread.start()
    }

    /// Ends the server. Call it once, when nobody is going to ask any more.
    public func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

    public var requests: [String] { state.withLock { $0.requests } }

    /// The body of the next POST, also of one that has come already.
    public func nextPost() async -> Data {
        await withCheckedContinuation { continuation in
            state.withLock { state in
                if state.posts.isEmpty {
                    state.waiters.append(continuation)
                } else {
                    continuation.resume(returning: state.posts.removeFirst())
                }
            }
        }
    }

    // MARK: Connections

    /// Until `stop`. It closes the listener itself: with a number that belongs to another server by now it would take that
    /// one's connections.
    private func accept() {
        defer { close(listener) }
        while true {
            let connection = Glibc.accept(listener, nil, nil)
            if connection < 0 {
                if errno == EINTR { continue }
                return
            }
            _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
            let thread = Thread { [self] in
                while answer(on: connection) {}
                close(connection)
            }
            thread.start()
        }
    }

    /// - Returns: whether there may be another request on this connection.
    private func answer(on connection: Int32) -> Bool {
        var bytes = Data()
        let end = Data("\r\n\r\n".utf8)
        while bytes.range(of: end) == nil { guard receive(connection, into: &bytes) else { return false } }
        guard let head = bytes.range(of: end) else { return false }
        let lines = String(decoding: bytes[..<head.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
        let request = lines[0].split(separator: " ").map(String.init)
        guard request.count == 3 else { return false }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2 { headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces) }
        }
        var body = Data(bytes[head.upperBound...])
        while body.count < Int(headers["content-length"] ?? "0") ?? 0 {
            guard receive(connection, into: &body) else { return false }
        }
        let path = (request[1].split(separator: "?").first.map(String.init) ?? "/").removingPercentEncoding ?? "/"
        state.withLock { $0.requests.append("\(request[0]) \(path)") }
        if request[0] == "POST" {
            state.withLock { state in
                if state.waiters.isEmpty {
                    state.posts.append(body)
                } else {
                    state.waiters.removeFirst().resume(returning: body)
                }
            }
            return send(connection, "204 No Content", [:], Data())
        }
        if let page = pages[path] { return send(connection, "200 OK", ["Content-Type": "text/html"], Data(page.utf8)) }
        guard !path.contains(".."), let data = FileManager.default.contents(atPath: folder + path) else {
            return send(connection, "404 Not Found", [:], Data())
        }
        let type = Self.types[(path as NSString).pathExtension] ?? "application/octet-stream"
        guard let range = headers["range"].flatMap({ Self.range($0, length: data.count) }) else {
            return send(connection, "200 OK", ["Content-Type": type, "Accept-Ranges": "bytes"], data)
        }
        return send(
            connection, "206 Partial Content",
            ["Content-Type": type, "Content-Range": "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(data.count)"],
            data.subdata(in: range))
    }

    private static let types = [
        "m3u8": "application/vnd.apple.mpegurl", "m4s": "video/iso.segment", "mp4": "video/mp4",
        "mpd": "application/dash+xml",
        "jpg": "image/jpeg",
    ]

    /// `bytes=from-to`, `bytes=from-` or `bytes=-last`.
    private static func range(_ text: String, length: Int) -> Range<Int>? {
        guard text.hasPrefix("bytes="), length > 0 else { return nil }
        let ends = text.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2 else { return nil }
        if let first = Int(ends[0]), first < length { return first..<min((Int(ends[1]) ?? length - 1) + 1, length) }
        if ends[0].isEmpty, let last = Int(ends[1]) { return max(0, length - last)..<length }
        return nil
    }

    private func receive(_ connection: Int32, into data: inout Data) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = recv(connection, &buffer, buffer.count, 0)
        if count > 0 { data.append(contentsOf: buffer[..<count]) }
        return count > 0
    }

    private func send(_ connection: Int32, _ status: String, _ headers: [String: String], _ body: Data) -> Bool {
        var head = "HTTP/1.1 \(status)\r\nContent-Length: \(body.count)\r\nCache-Control: no-store\r\n"
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        let message = Data((head + "\r\n").utf8) + body
        return message.withUnsafeBytes { bytes in
            var done = 0
            while done < bytes.count {
                let sent = Glibc.send(
                    connection, bytes.baseAddress.map { $0 + done }, bytes.count - done, Int32(MSG_NOSIGNAL))
                if sent <= 0 { return false }
                done += sent
            }
            return true
        }
    }
}
