internal import AWSClient
internal import AWSSigning
internal import ClairoCore
internal import Curl
internal import Foundation
internal import Synchronization

/// An S3 request before addressing and signing.
struct S3Request {
    var method: String
    /// The key including the store's prefix; nil for the bucket itself.
    var path: String?
    var query: [AWSRequest.QueryItem] = []
    var headers: [AWSRequest.Header] = []
    var body = Data()
    /// The SHA-256 of the body, if known.
    var sha256: String?
    /// The maximum size of the reply in bytes.
    var limit = 4 << 20
    /// The exact size of a successful reply in bytes.
    var expected: Int?
    /// Whether a reply with status 200 may contain an error (CompleteMultipartUpload).
    var mayFailLate = false
    /// Whether a repeated request would get a different reply. It then uses a new connection, so that it is not sent
    /// twice unnoticed.
    var isConditional = false
    /// Cancels this request; nil for the store's cancellation.
    var cancellation: Cancellation?
    /// Whether the request cleans up after a cancellation. It is then sent anyway, with a short timeout and one retry.
    var isCleanUp = false

    init(_ method: String, _ path: String?) {
        self.method = method
        self.path = path
    }
}

/// Sends S3 requests through `AWSClient` and handles what is specific to S3: errors in replies with status 200, replies
/// of a known length, and servers that reject checksum headers.
final class S3Transport: Sendable {
    let bucket: String
    let options: S3Options
    let cancellation: Cancellation?
    let client: AWSClient
    /// False once the server has rejected a request with checksum headers and accepted it without them.
    private let sendsChecksums = Mutex(true)

    init(bucket: String, client: AWSClient, options: S3Options, cancellation: Cancellation?) {
        self.bucket = bucket
        self.client = client
        self.options = options
        self.cancellation = cancellation
    }

    /// Sends a request until it succeeds (2xx) or fails permanently.
    func send(_ request: S3Request) throws(AWSFailure) -> HTTPReply {
        var call = call(request)
        if !sendsChecksums.withLock({ $0 }) { call.headers.removeAll { Self.isChecksum($0.name) } }
        var isAmended = false
        let reply = try client.send(
            call,
            amend: { failure, call in
                guard Self.mayBeAboutChecksums(failure), call.headers.contains(where: { Self.isChecksum($0.name) })
                else { return false }
                call.headers.removeAll { Self.isChecksum($0.name) }
                isAmended = true
                return true
            }, accept: { (reply) throws(AWSFailure) in try check(reply, to: request) })
        // The request succeeded without checksum headers, so they were the reason.
        if isAmended { sendsChecksums.withLock { $0 = false } }
        return reply
    }

    private func call(_ request: S3Request) -> AWSCall {
        let (cancellation, isCleanUp, sleep) = (cancellation, request.isCleanUp, options.sleep)
        var call = AWSCall(
            request.method, path: request.path.map { "/\($0)" } ?? "", query: request.query, headers: request.headers,
            body: request.body,
            pause: { seconds in
                if let sleep {
                    sleep(seconds)
                } else if let cancellation {
                    return cancellation.sleep(seconds: seconds) || isCleanUp
                } else {
                    Thread.sleep(forTimeInterval: seconds)
                }
                return true
            })
        call.sha256 = request.sha256
        call.replyLimit = request.limit
        call.connectTimeout = options.connectTimeout
        call.stallTimeout = isCleanUp ? min(5, options.stallTimeout) : options.stallTimeout
        call.reusesConnection = !request.isConditional
        if isCleanUp { call.maxAttempts = 2 }
        call.cancellation = isCleanUp ? nil : request.cancellation ?? cancellation
        if let observe = options.observe {
            let operation = S3Event.Operation(request)
            call.observe = { attempt in
                observe(
                    S3Event(
                        operation: operation, outcome: attempt.failure.map { .init($0) } ?? .success,
                        seconds: attempt.seconds, isRepeated: attempt.isRepeated))
            }
        }
        return call
    }

    private func check(_ reply: HTTPReply, to request: S3Request) throws(AWSFailure) -> HTTPReply {
        if request.mayFailLate {
            guard let root = S3Document.parse(reply.body) else {
                throw AWSFailure(.badReply("the reply is incomplete"))
            }
            if root.name == "Error" { throw client.refusal(reply, to: request.method) }
        }
        if let expected = request.expected, reply.body.count != expected {
            throw AWSFailure(.badReply("received \(reply.body.count) of \(expected) bytes"))
        }
        return reply
    }

    /// Creates the request that a presigned URL represents.
    func address(_ method: String, _ path: String, query: [AWSRequest.QueryItem] = []) -> AWSRequest {
        client.request(method, "/\(path)", query: query)
    }

    private static func mayBeAboutChecksums(_ failure: AWSFailure) -> Bool {
        ["NotImplemented", "InvalidArgument", "InvalidRequest", "HTTP 501"].contains(failure.code)
    }

    private static func isChecksum(_ name: String) -> Bool {
        ["x-amz-checksum-sha256", "x-amz-checksum-algorithm"].contains(name.lowercased())
    }
}
