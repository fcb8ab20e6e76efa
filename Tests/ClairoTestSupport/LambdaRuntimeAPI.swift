internal import Foundation
internal import Synchronization

/// A substitute for the AWS Lambda runtime API: hands out events, records responses, and blocks the function when there
/// are no more events. Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
public final class LambdaRuntimeAPI: Sendable {
    /// An X-Ray trace header as sent by Lambda.
    public static let traceHeader = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=53995c3f42cd8ad8;Sampled=1"

    public struct Event: Sendable, ExpressibleByStringLiteral {
        public var payload: String
        public var traceHeader: String

        public init(_ payload: String, traceHeader: String = LambdaRuntimeAPI.traceHeader) {
            self.payload = payload
            self.traceHeader = traceHeader
        }

        public init(stringLiteral payload: String) { self.init(payload) }
    }

    /// A response posted by the function.
    public struct Answer: Sendable, Equatable {
        public var path: String
        public var body: String
        /// The header `Lambda-Runtime-Function-Error-Type`.
        public var type: String?

        public init(path: String, body: String, type: String? = nil) {
            self.path = path
            self.body = body
            self.type = type
        }
    }

    private let events: Mutex<[Event]>
    private let received = Mutex<[Answer]>([])
    private let status: Int
    private let (waits, waiting) = AsyncStream.makeStream(of: Void.self)
    private let server = Mutex<RawServer?>(nil)

    /// - Parameters:
    ///   - events: The first of `n` events has the id `request-n`, the last `request-1`.
    ///   - answerStatus: The status returned for each posted response.
    public init(_ events: [Event], answerStatus: Int = 202) throws {
        self.events = Mutex(events)
        status = answerStatus
        let server = try RawServer { [unowned self] connection in serve(connection) }
        self.server.withLock { $0 = server }
    }

    public var environment: [String: String] {
        ["AWS_LAMBDA_RUNTIME_API": "127.0.0.1:\(server.withLock { $0?.port } ?? 0)"]
    }

    public var answers: [Answer] { received.withLock { $0 } }

    /// Returns when the function waits for an event that does not exist.
    public func isWaiting() async { for await _ in waits { return } }

    public func stop() { server.withLock { $0 }?.stop() }

    private func serve(_ connection: RawConnection) {
        while let head = connection.readHead() {
            if head.method == "GET" {
                guard head.target == "/2018-06-01/runtime/invocation/next" else {
                    connection.reply(404)
                    return
                }
                let (number, event) = events.withLock { events in
                    (events.count, events.isEmpty ? nil : events.removeFirst())
                }
                guard let event else {
                    waiting.yield()
                    return connection.waitForEnd()
                }
                connection.reply(
                    200,
                    headers: [
                        ("Lambda-Runtime-Aws-Request-Id", "request-\(number)"),
                        ("Lambda-Runtime-Deadline-Ms", "1795370645123"),
                        ("Lambda-Runtime-Trace-Id", event.traceHeader),
                    ], body: Data(event.payload.utf8))
            } else {
                let body = connection.read(head.length)
                received.withLock {
                    $0.append(
                        Answer(
                            path: head.target, body: String(decoding: body, as: UTF8.self),
                            type: head.headers["lambda-runtime-function-error-type"]))
                }
                connection.reply(status)
            }
        }
    }
}
