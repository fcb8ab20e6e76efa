internal import ClairoCore
public import Foundation
internal import Glibc

/// The start line and headers of an HTTP/1.1 message.
struct HTTPHead: Sendable {
    var start: String
    var headers: [(name: String, value: String)]

    init(start: String, headers: [(name: String, value: String)]) {
        self.start = start
        self.headers = headers
    }

    /// Reads the next head, or returns nil if the connection ends first.
    init?(from connection: Connection) {
        guard let bytes = connection.read(through: "\r\n\r\n") else { return nil }
        let lines = String(decoding: bytes.dropLast(4), as: UTF8.self).components(separatedBy: "\r\n")
        start = lines[0]
        headers = lines.dropFirst().compactMap { line in
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            return parts.count == 2 ? (String(parts[0]), parts[1].trimmingCharacters(in: .whitespaces)) : nil
        }
    }

    subscript(name: String) -> String? { headers.first { $0.name.lowercased() == name }?.value }

    mutating func remove(_ name: String) { headers.removeAll { $0.name.lowercased() == name } }

    var data: Data {
        Data((([start] + headers.map { "\($0.name): \($0.value)" }).joined(separator: "\r\n") + "\r\n\r\n").utf8)
    }

    var length: Int { self["content-length"].flatMap(Int.init) ?? 0 }
    var isChunked: Bool { self["transfer-encoding"]?.lowercased() == "chunked" }
}

/// A request received by a test server.
public struct HTTPRequest: Sendable {
    public var method: String
    /// Percent-encoded, without the query.
    public var path: String
    /// Percent-encoded, without the question mark. Empty if there is none.
    public var query: String
    /// By lower-case name.
    public var headers: [String: String]

    init(_ head: HTTPHead) {
        let words = head.start.split(separator: " ").map(String.init)
        let target = (words.count > 1 ? words[1] : "/").split(
            separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        method = words.first ?? ""
        path = String(target[0])
        query = target.count > 1 ? String(target[1]) : ""
        headers = Dictionary(head.headers.map { ($0.name.lowercased(), $0.value) }) { "\($0),\($1)" }
    }
}

public struct HTTPResponse: Sendable {
    public var status: Int
    /// By lower-case name.
    public var headers: [String: String]
    public var body: Data

    public init(_ status: Int, _ body: Data = Data(), headers: [String: String] = [:]) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    public init(_ status: Int, _ text: String) { self.init(status, Data(text.utf8)) }

    public var text: String { String(decoding: body, as: UTF8.self) }

    var data: Data { head + body }

    /// The whole response to HEAD.
    var head: Data {
        let headers = [("content-length", "\(body.count)")] + self.headers.map { ($0.key, $0.value) }
        return HTTPHead(start: "HTTP/1.1 \(status) \(status < 400 ? "OK" : "No")", headers: headers).data
    }
}

/// A minimal client: one request per connection, plain HTTP to 127.0.0.1.
public enum HTTPClient {
    /// - Parameter url: `http://127.0.0.1:PORT/…`, percent-encoded.
    public static func send(
        _ method: String, _ url: String, headers: [(name: String, value: String)] = [], body: Data = Data()
    ) async throws -> HTTPResponse {
        try await onDedicatedThread(name: "client") {
            try sendAndWait(method, url, headers: headers, body: body)
        }
    }

    /// The same, blocking.
    public static func sendAndWait(
        _ method: String, _ url: String, headers: [(name: String, value: String)] = [], body: Data = Data()
    ) throws -> HTTPResponse {
        guard let components = URLComponents(string: url), let port = components.port.flatMap(UInt16.init(exactly:)),
            let target = url.range(of: ":\(port)").map({ url[$0.upperBound...] })
        else { throw ConnectionError(what: "read \(url)", code: EINVAL) }
        let connection = try Connection.open(port: port)
        var head = HTTPHead(start: "\(method) \(target.isEmpty ? "/" : target) HTTP/1.1", headers: headers)
        head.remove("host")
        head.headers += [
            ("Host", "127.0.0.1:\(port)"), ("Content-Length", "\(body.count)"), ("Connection", "close"),
        ]
        connection.write(head.data + body)
        guard let answer = HTTPHead(from: connection) else {
            throw ConnectionError(what: "get an answer from \(url)", code: ECONNRESET)
        }
        guard let received = method == "HEAD" ? Data() : wholeBody(answer, from: connection) else {
            throw ConnectionError(what: "get all of \(url)", code: ECONNRESET)
        }
        return HTTPResponse(
            Int(answer.start.split(separator: " ").dropFirst().first ?? "") ?? 0, received,
            headers: Dictionary(answer.headers.map { ($0.name.lowercased(), $0.value) }) { "\($0),\($1)" })
    }

    /// Returns nil if the connection ends before the body.
    private static func wholeBody(_ head: HTTPHead, from connection: Connection) -> Data? {
        func bytes(_ count: Int) -> Data? {
            var data = Data()
            while data.count < count {
                guard let piece = connection.read(atMost: count - data.count) else { return nil }
                data += piece
            }
            return data
        }
        if head["content-length"] != nil { return bytes(head.length) }
        var body = Data()
        guard head.isChunked else {
            while let piece = connection.read() { body += piece }
            return body
        }
        while let line = connection.read(through: "\r\n") {
            let size = Int(String(decoding: line.dropLast(2), as: UTF8.self), radix: 16) ?? 0
            guard let chunk = bytes(size), connection.read(through: "\r\n") != nil else { return nil }
            if size == 0 { return body }
            body += chunk
        }
        return nil
    }
}
