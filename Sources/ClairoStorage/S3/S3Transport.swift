internal import AWSSigning
internal import ClairoCore
internal import Curl
internal import Foundation
internal import Synchronization

/// A request to S3, before it has an address and a signature.
struct S3Request {
    var method: String
    /// In the bucket, with the store's prefix; nil for the bucket itself.
    var path: String?
    var query: [AWSRequest.QueryItem] = []
    var headers: [AWSRequest.Header] = []
    var body = Data()
    /// Of the body, where it is known already.
    var sha256: String?
    /// Bytes that the reply may have.
    var limit = 4 << 20
    /// Bytes that the reply to a success must have.
    var expected: Int?
    /// Whether a reply with status 200 may hold an error (CompleteMultipartUpload, CopyObject, UploadPartCopy).
    var mayFailLate = false
    /// Whether a second execution would be answered otherwise, so that each one has to be known.
    var isConditional = false
    /// nil for the clean-up after cancellation.
    var cancellation: Cancellation?
    var isCleanUp = false

    init(_ method: String, _ path: String?) {
        self.method = method
        self.path = path
    }
}

/// Signs requests, sends them, and sends them again where that can help.
///
/// Attempts are spaced by exponential back-off with full jitter
/// (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/) and not less than `Retry-After`. Three
/// refusals are mended on the spot, once each: a clock that differs from the server's, credentials that have run out, and a
/// checksum header that the server does not know.
final class S3Transport: Sendable {
    let bucket: String
    let endpoint: S3Endpoint
    let region: String
    let options: S3Options
    let cancellation: Cancellation?
    private let credentials: AWSCredentialChain
    private let client: HTTPClient
    private let maxAttempts: Int
    private let state = Mutex(State())

    private struct State {
        /// Seconds that the server's clock is ahead of ours.
        var clockOffset = 0.0
        var sendsChecksums = true
    }

    init(
        bucket: String, endpoint: S3Endpoint, region: String, credentials: AWSCredentialChain, maxAttempts: Int,
        options: S3Options, client: HTTPClient, cancellation: Cancellation?
    ) {
        self.bucket = bucket
        self.endpoint = endpoint
        self.region = region
        self.credentials = credentials
        self.maxAttempts = maxAttempts
        self.options = options
        self.client = client
        self.cancellation = cancellation
    }

    var place: S3Place { S3Place(bucket: bucket, endpoint: endpoint.description, region: region) }

    /// Sends a request until it succeeds (2xx) or cannot.
    func send(_ request: S3Request) throws(S3Failure) -> HTTPReply {
        var mended: Set<String> = []
        var mayHaveHappened = false
        // Whether the server refused this request with a checksum, so that it goes without.
        var isWithoutChecksums = false
        var attempt = 1
        while true {
            var failure: S3Failure
            let used = try credentials(attempt)
            let start = ContinuousClock.now
            let sendsChecksums = !isWithoutChecksums && state.withLock { $0.sendsChecksums }
            do {
                let reply = try sendOnce(request, used, sendsChecksums: sendsChecksums)
                tell(request, nil, since: start, isRepeated: false)
                // Now it is known that the checksum was what the server did not like.
                if isWithoutChecksums { state.withLock { $0.sendsChecksums = false } }
                return reply
            } catch { failure = error }
            mayHaveHappened = mayHaveHappened || failure.isUncertain
            failure.attempts = attempt
            failure.mayHaveHappened = mayHaveHappened
            if let code = failure.code, !mended.contains(code), mend(failure, used) {
                mended.insert(code)
                tell(request, failure, since: start, isRepeated: true)
                continue
            }
            if sendsChecksums, Self.mayBeAboutChecksums(failure),
                request.headers.contains(where: { Self.isChecksum($0.name) })
            {
                isWithoutChecksums = true
                tell(request, failure, since: start, isRepeated: true)
                continue
            }
            let isRepeated = failure.isRetryable && attempt < (request.isCleanUp ? 2 : maxAttempts)
            tell(request, failure, since: start, isRepeated: isRepeated)
            guard isRepeated else { throw failure }
            pause(attempt, failure)
            attempt += 1
        }
    }

    private func tell(
        _ request: S3Request, _ failure: S3Failure?, since start: ContinuousClock.Instant, isRepeated: Bool
    ) {
        options.observe?(
            S3Event(
                operation: .init(request), outcome: failure.map { .init($0) } ?? .success,
                seconds: (ContinuousClock.now - start) / .seconds(1), isRepeated: isRepeated))
    }

    private func credentials(_ attempt: Int) throws(S3Failure) -> AWSCredentials {
        do {
            return try credentials.credentials()
        } catch {
            var failure = S3Failure(.credentials(error))
            failure.attempts = attempt
            throw failure
        }
    }

    private func sendOnce(
        _ request: S3Request, _ credentials: AWSCredentials, sendsChecksums: Bool
    ) throws(S3Failure) -> HTTPReply {
        let offset = state.withLock { $0.clockOffset }
        var unsigned = address(request.method, request.path, query: request.query)
        unsigned.headers = request.headers.filter { sendsChecksums || !Self.isChecksum($0.name) }
        unsigned.payload = request.sha256.map { .sha256($0) } ?? .init(request.body)
        let signed = SigV4Signer(credentials: credentials, region: region, service: "s3")
            .sign(unsigned, at: Date().addingTimeInterval(offset))
        var message = HTTPRequest(request.method, signed.url)
        for header in signed.headers { message.headers.append(header.name, header.value) }
        message.connectTimeout = options.connectTimeout
        message.stallTimeout = request.isCleanUp ? min(5, options.stallTimeout) : options.stallTimeout
        message.reusesConnection = !request.isConditional
        let reply: HTTPReply
        do {
            reply = try client.send(
                message, body: request.body.isEmpty ? .none : .data(request.body), limit: request.limit,
                cancellation: request.isCleanUp ? nil : request.cancellation ?? cancellation)
        } catch let error as CurlError {
            throw S3Failure(.network(error))
        } catch {
            throw S3Failure(.badReply("\(error)"))
        }
        guard reply.head.isSuccess else { throw S3Failure(reply, to: request.method) }
        if request.mayFailLate {
            guard let root = S3Document.parse(reply.body) else { throw S3Failure(.badReply("the reply is not whole")) }
            if root.name == "Error" { throw S3Failure(reply, to: request.method) }
        }
        if let expected = request.expected, reply.body.count != expected {
            throw S3Failure(.badReply("\(reply.body.count) bytes came instead of \(expected)"))
        }
        return reply
    }

    /// The address of a request, which is also what a presigned URL is made of.
    func address(_ method: String, _ path: String?, query: [AWSRequest.QueryItem] = []) -> AWSRequest {
        AWSRequest(
            method: method, scheme: endpoint.scheme, host: endpoint.host,
            path: path.map { "\(endpoint.basePath)/\($0)" } ?? (endpoint.basePath.isEmpty ? "/" : endpoint.basePath),
            query: query)
    }

    func presign(_ request: AWSRequest, expiresIn seconds: Int) throws(S3Failure) -> String {
        SigV4Signer(credentials: try credentials(1), region: region, service: "s3")
            .presign(request, at: Date().addingTimeInterval(state.withLock { $0.clockOffset }), expiresIn: seconds)
    }

    // MARK: Again

    /// - Returns: whether the cause is out of the world, so that the request is worth sending at once.
    private func mend(_ failure: S3Failure, _ used: AWSCredentials) -> Bool {
        guard case .service(let service) = failure.cause else { return false }
        switch service.code {
        case "RequestTimeTooSkewed":
            guard let date = service.date else { return false }
            state.withLock { $0.clockOffset = date.timeIntervalSinceNow }
            return true
        case "ExpiredToken":
            credentials.invalidate(used)
            return true
        default: return false
        }
    }

    private static func mayBeAboutChecksums(_ failure: S3Failure) -> Bool {
        ["NotImplemented", "InvalidArgument", "InvalidRequest", "HTTP 501"].contains(failure.code)
    }

    private static func isChecksum(_ name: String) -> Bool {
        ["x-amz-checksum-sha256", "x-amz-checksum-algorithm"].contains(name.lowercased())
    }

    private func pause(_ attempt: Int, _ failure: S3Failure) {
        var seconds = Double.random(in: 0...min(20, options.firstDelay * Double(1 << min(attempt - 1, 10))))
        if case .service(let service) = failure.cause, let least = service.retryAfter {
            seconds = max(seconds, min(least, 60))
        }
        if let sleep = options.sleep {
            sleep(seconds)
        } else if let cancellation {
            _ = cancellation.sleep(seconds: seconds)
        } else {
            Thread.sleep(forTimeInterval: seconds)
        }
    }
}
