public import Foundation
internal import Synchronization

/// An HTTP server with scripted replies that records requests.
public final class StubServer: Sendable {
    private let listener: Listener
    private let asked = Mutex<[HTTPRequest]>([])

    /// - Parameter answer: Called on any thread, possibly concurrently. Nil closes the connection without a reply.
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

    /// Stops the server. Call once.
    public func stop() { listener.stop() }
}
