public import Foundation
internal import Synchronization

/// A small HTTP/1.1 server on the loopback address from which a browser plays the content of a folder.
///
/// It supports GET and ranges, and records POSTs, so that a page can report to the test.
public final class LocalServer: Sendable {
    private let server: RawServer
    private let site: Site

    /// - Parameter pages: HTML by path. These take precedence over files.
    public init(folder: String, pages: [String: String] = [:]) throws {
        let site = Site(folder: folder, pages: pages)
        self.site = site
        server = try RawServer { connection in while site.answer(on: connection) {} }
    }

    public var port: UInt16 { server.port }

    /// Stops the server. Call once no more requests are expected.
    public func stop() { server.stop() }

    public var requests: [String] { site.requests }

    /// The body of the next POST, including one that has already arrived.
    public func nextPost() async -> Data { await site.nextPost() }
}

/// The pages and files, and the recorded requests.
private final class Site: Sendable {
    private let folder: String
    private let pages: [String: String]
    private let state = Mutex(State())

    private struct State {
        var posts: [Data] = []
        var requests: [String] = []
        var waiters: [CheckedContinuation<Data, Never>] = []
    }

    init(folder: String, pages: [String: String]) { (self.folder, self.pages) = (folder, pages) }

    var requests: [String] { state.withLock { $0.requests } }

    func nextPost() async -> Data {
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

    /// - Returns: Whether the connection may carry another request.
    func answer(on connection: RawConnection) -> Bool {
        guard let head = connection.readHead() else { return false }
        let body = connection.read(head.length)
        guard body.count == head.length else { return false }
        let path = (head.target.split(separator: "?").first.map(String.init) ?? "/").removingPercentEncoding ?? "/"
        state.withLock { $0.requests.append("\(head.method) \(path)") }
        if head.method == "POST" {
            keep(body)
            return reply(connection, 204)
        }
        if let page = pages[path] { return reply(connection, 200, ["Content-Type": "text/html"], Data(page.utf8)) }
        guard !path.contains(".."), let data = FileManager.default.contents(atPath: folder + path) else {
            return reply(connection, 404)
        }
        let type = Self.types[(path as NSString).pathExtension] ?? "application/octet-stream"
        guard let range = head.headers["range"].flatMap({ Self.range($0, length: data.count) }) else {
            return reply(connection, 200, ["Content-Type": type, "Accept-Ranges": "bytes"], data)
        }
        return reply(
            connection, 206,
            ["Content-Type": type, "Content-Range": "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(data.count)"],
            data.subdata(in: range))
    }

    private func keep(_ post: Data) {
        state.withLock { state in
            if state.waiters.isEmpty {
                state.posts.append(post)
            } else {
                state.waiters.removeFirst().resume(returning: post)
            }
        }
    }

    private func reply(
        _ connection: RawConnection, _ status: Int, _ headers: [String: String] = [:], _ body: Data = Data()
    ) -> Bool {
        let all = headers.merging(["Cache-Control": "no-store"]) { $1 }
        return connection.reply(status, headers: all.map { ($0.key, $0.value) }, body: body)
    }

    private static let types = [
        "m3u8": "application/vnd.apple.mpegurl", "m4s": "video/iso.segment", "mp4": "video/mp4",
        "mpd": "application/dash+xml",
        "jpg": "image/jpeg", "vtt": "text/vtt", "webp": "image/webp",
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
}
