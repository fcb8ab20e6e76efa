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
/// of a known length, and servers that refuse optional headers.
final class S3Transport: Sendable {
    let bucket: String
    let options: S3Options
    let cancellation: Cancellation?
    let client: AWSClient
    /// What the server has refused so far.
    private let refusals: Mutex<S3Refusals>

    init(bucket: String, client: AWSClient, options: S3Options, cancellation: Cancellation?) {
        self.bucket = bucket
        self.client = client
        self.options = options
        self.cancellation = cancellation
        refusals = Mutex(S3Refusals(client))
    }

    /// The optional parts of the API that the server has refused so far.
    var refused: Set<S3Refusals.Feature> { refusals.withLock { $0.refused } }

    func note(refused features: Set<S3Refusals.Feature>) { refusals.withLock { $0.add(features) } }

    /// Sends a request until it succeeds (2xx) or fails permanently.
    func send(_ request: S3Request) throws(AWSFailure) -> HTTPReply {
        var call = call(request)
        call.headers = refusals.withLock { $0.allowed(call.headers) }
        var removed: Set<S3Refusals.Feature> = []
        do throws(AWSFailure) {
            let reply = try client.send(
                call,
                amend: { failure, call in
                    removed = S3Refusals.removeFeatures(from: &call.headers, after: failure)
                    return !removed.isEmpty
                }, accept: { (reply) throws(AWSFailure) in try check(reply, to: request) })
            note(refused: removed)
            return reply
        } catch {
            if S3Refusals.provesRefusal(error) { note(refused: removed) }
            throw error
        }
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
}
