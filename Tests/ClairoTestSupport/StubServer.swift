public import Foundation
internal import Synchronization

/// An HTTP server that says what a test tells it to, and keeps what it was asked.
public final class StubServer: Sendable {
    private let listener: Listener
    private let asked = Mutex<[HTTPRequest]>([])

    /// - Parameter answer: called on any thread, also several at a time; nil closes the connection without an answer.
    public init(_ answer: @escaping @Sendable (HTTPRequest, _ body: Data) -> HTTPResponse?) throws {
        listener = try Listener()
        listener.start { [self] connection in
            while let head = HTTPHead(from: connection) {
                var body = Data()
                while body.count < head.length, let piece = connection.read(atMost: head.length - body.count) {
                    body += piece
                }
                let request = HTTPRequest(head)
                asked.withLock { $0.append(request) }
                guard let response = answer(request, body), connection.write(response.data),
                    head["connection"]?.lowercased() != "close"
                else { return }
            }
        }
    }

    public var port: UInt16 { listener.port }
    public var url: String { "http://127.0.0.1:\(port)" }
    public var requests: [HTTPRequest] { asked.withLock { $0 } }

    /// Call it once.
    public func stop() { listener.stop() }
}
