public import AWSSigning
public import ClairoCore
public import Curl
internal import Foundation
internal import Synchronization

/// Signs and sends requests to an AWS service or a compatible server, and retries them.
///
/// Retries use exponential backoff with full jitter
/// (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/). A delay is at least `Retry-After`, of
/// which up to 60 s count. A clock offset and expired credentials are corrected, and the call is then repeated without
/// a delay, once for each error code. Adapters add what is specific to a service; see `S3Transport` and `ECSClient`.
///
/// Credentials, region and endpoint come from the same settings as for AWS's own tools; see `AWSSettings`. Calls block
/// the calling thread.
public final class AWSClient: Sendable {
    /// The service.
    public let service: AWSService
    /// The endpoint of the service.
    public let endpoint: AWSEndpoint
    /// The region in signatures.
    public let region: String
    /// Whether requests have optional checksums, by the settings.
    public let requestChecksums: AWSSettings.ChecksumUse
    /// Whether replies are compared with optional checksums, by the settings.
    public let responseChecksums: AWSSettings.ChecksumUse
    private let credentials: AWSCredentialChain
    private let client: HTTPClient
    private let maxAttempts: Int
    private let firstDelay: Double
    private let limiter: Limiter?
    /// The server's clock minus this machine's, in seconds.
    private let clockOffset = Mutex(0.0)

    /// A limit on the rate of requests.
    public struct RateLimit: Sendable {
        var burst: Double
        var perSecond: Double
        var now: @Sendable () -> Double

        /// - Parameters:
        ///   - burst: The number of requests that may be sent at once.
        ///   - perSecond: The number of requests per second after a burst.
        ///   - now: Seconds on a monotonic clock.
        public init(burst: Double, perSecond: Double, now: @escaping @Sendable () -> Double) {
            self.burst = burst
            self.perSecond = perSecond
            self.now = now
        }
    }

    /// Reads the settings. Sends no requests yet.
    /// - Parameters:
    ///   - maxAttempts: The maximum number of attempts per call; nil for `AWS_MAX_ATTEMPTS`, the profile's
    ///     `max_attempts`, or `defaultAttempts`.
    ///   - firstDelay: The maximum of the random delay before the first retry, in seconds. The maximum doubles with
    ///     each retry, up to 20 s.
    ///   - limit: A limit on the rate of all requests of this client, or nil for none.
    ///   - endpoint: Returns the service's endpoint for the settings and the region.
    /// - Throws: `configuration` (78) if a setting is invalid.
    public init(
        _ service: AWSService, _ system: AWSSystem, maxAttempts: Int? = nil, defaultAttempts: Int,
        firstDelay: Double = 0.5, limit: RateLimit? = nil,
        endpoint: (AWSSettings, _ region: String) throws(ClairoError) -> AWSEndpoint
    ) throws(ClairoError) {
        let settings: AWSSettings
        do {
            settings = try AWSSettings(system)
        } catch {
            throw .configuration("Invalid AWS settings: \(error)")
        }
        let region = settings.region ?? "us-east-1"
        var configuration = HTTPClient.Configuration()
        configuration.environment = system.environment
        if let bundle = settings.caBundle { configuration.environment["AWS_CA_BUNDLE"] = bundle }
        self.service = service
        self.endpoint = try endpoint(settings, region)
        self.region = region
        requestChecksums = settings.requestChecksums
        responseChecksums = settings.responseChecksums
        credentials = AWSCredentialChain(system)
        client = HTTPClient(configuration)
        self.maxAttempts = maxAttempts ?? settings.maxAttempts ?? defaultAttempts
        self.firstDelay = firstDelay
        limiter = limit.map(Limiter.init)
    }

    // MARK: Sending

    /// Sends a call until it succeeds or fails permanently.
    /// - Parameters:
    ///   - amend: May change a failed call so that it can succeed, and returns whether it has. The changed call is then
    ///     sent without a delay and does not count as another attempt. A call is changed at most once.
    ///   - accept: Converts a 2xx reply to the result. An error that it throws is handled like a failed attempt.
    public func send<R>(
        _ call: AWSCall, amend: (AWSFailure, inout AWSCall) -> Bool = { _, _ in false },
        accept: (HTTPReply) throws(AWSFailure) -> R
    ) throws(AWSFailure) -> R {
        var call = call
        var corrected: Set<String> = []
        var isAmended = false
        var mayHaveHappened = false
        var attempt = 1
        while true {
            if let limiter, case let seconds = limiter.take(), seconds > 0, !call.pause(seconds) {
                throw AWSFailure(.cancelled)
            }
            let start = ContinuousClock.now
            var failure: AWSFailure
            var used: AWSCredentials?
            do throws(AWSFailure) {
                let known = try currentCredentials()
                used = known
                let result = try accept(try sendOnce(call, known))
                tell(call, nil, since: start, isRepeated: false)
                return result
            } catch { failure = error }
            mayHaveHappened = mayHaveHappened || failure.isUncertain
            failure.attempts = attempt
            failure.mayHaveHappened = mayHaveHappened
            if let code = failure.code, !corrected.contains(code), let used, correct(failure, used) {
                corrected.insert(code)
                tell(call, failure, since: start, isRepeated: true)
                continue
            }
            if !isAmended, amend(failure, &call) {
                isAmended = true
                tell(call, failure, since: start, isRepeated: true)
                continue
            }
            if failure.isThrottle { limiter?.drain() }
            let isRepeated = failure.isRetryable && attempt < (call.maxAttempts ?? maxAttempts)
            tell(call, failure, since: start, isRepeated: isRepeated)
            guard isRepeated else { throw failure }
            guard call.pause(delay(after: attempt, failure)) else { throw AWSFailure(.cancelled) }
            attempt += 1
        }
    }

    private func delay(after attempt: Int, _ failure: AWSFailure) -> Double {
        let seconds = Double.random(in: 0...min(20, firstDelay * Double(1 << min(attempt - 1, 10))))
        guard case .service(let refusal) = failure.cause, let least = refusal.retryAfter else { return seconds }
        return max(seconds, min(least, 60))
    }

    private func tell(
        _ call: AWSCall, _ failure: AWSFailure?, since start: ContinuousClock.Instant, isRepeated: Bool
    ) {
        call.observe(
            AWSAttempt(
                failure: failure, seconds: (ContinuousClock.now - start) / .seconds(1), isRepeated: isRepeated))
    }

    private func currentCredentials() throws(AWSFailure) -> AWSCredentials {
        do {
            return try credentials.credentials()
        } catch {
            throw AWSFailure(.credentials(error))
        }
    }

    private func sendOnce(_ call: AWSCall, _ credentials: AWSCredentials) throws(AWSFailure) -> HTTPReply {
        var unsigned = request(call.method, call.path, query: call.query)
        unsigned.headers = call.headers
        unsigned.payload = call.sha256.map { .sha256($0) } ?? .init(call.body)
        let signed = signer(credentials).sign(unsigned, at: now)
        var message = HTTPRequest(call.method, signed.url)
        for header in signed.headers { message.headers.append(header.name, header.value) }
        message.connectTimeout = call.connectTimeout
        message.stallTimeout = call.stallTimeout
        message.reusesConnection = call.reusesConnection
        let reply: HTTPReply
        do {
            reply = try client.send(
                message, body: call.body.isEmpty ? .none : .data(call.body), limit: call.replyLimit,
                cancellation: call.cancellation)
        } catch let error as CurlError {
            throw AWSFailure(.network(error))
        } catch {
            throw AWSFailure(.badReply("\(error)"))
        }
        guard reply.head.isSuccess else { throw refusal(reply, to: call.method) }
        return reply
    }

    /// Converts an error reply.
    public func refusal(_ reply: HTTPReply, to method: String) -> AWSFailure {
        AWSFailure(.service(service.refusal(reply, method)))
    }

    // MARK: Signing

    /// An unsigned request to the service.
    /// - Parameter path: The path after the endpoint's own path, with a leading slash, not encoded.
    public func request(_ method: String, _ path: String, query: [AWSRequest.QueryItem] = []) -> AWSRequest {
        let path = endpoint.basePath + path
        return AWSRequest(
            method: method, scheme: endpoint.scheme, host: endpoint.host, path: path.isEmpty ? "/" : path, query: query)
    }

    /// A URL with which anyone can execute the request without credentials until the URL expires.
    public func presign(_ request: AWSRequest, expiresIn seconds: Int) throws(AWSFailure) -> String {
        signer(try currentCredentials()).presign(request, at: now, expiresIn: seconds)
    }

    private func signer(_ credentials: AWSCredentials) -> SigV4Signer {
        SigV4Signer(credentials: credentials, region: region, service: service.signingName)
    }

    /// The current time by the server's clock.
    private var now: Date { Date().addingTimeInterval(clockOffset.withLock { $0 }) }

    /// Corrects the clock offset or discards expired credentials, if that is the cause.
    /// - Returns: Whether the call should be repeated at once.
    private func correct(_ failure: AWSFailure, _ used: AWSCredentials) -> Bool {
        guard case .service(let refusal) = failure.cause else { return false }
        switch refusal.code {
        case "ExpiredToken", "ExpiredTokenException":
            credentials.invalidate(used)
            return true
        case "RequestTimeTooSkewed":
            guard let date = refusal.date else { return false }
            clockOffset.withLock { $0 = date.timeIntervalSinceNow }
            return true
        case "InvalidSignatureException", "RequestExpired":
            // These errors also have other causes. AWS accepts signatures within five minutes of its clock, so a
            // smaller difference is not the cause.
            guard let date = refusal.date, abs(date.timeIntervalSinceNow) > 240 else { return false }
            clockOffset.withLock { $0 = date.timeIntervalSinceNow }
            return true
        default: return false
        }
    }

    /// A token bucket for all calls of a client.
    private final class Limiter: Sendable {
        private let bucket: Mutex<TokenBucket>
        private let now: @Sendable () -> Double

        init(_ limit: RateLimit) {
            bucket = Mutex(TokenBucket(burst: limit.burst, perSecond: limit.perSecond, now: limit.now()))
            now = limit.now
        }

        /// Takes a token and returns the seconds to wait before the request.
        func take() -> Double { bucket.withLock { $0.take(at: now()) } }

        func drain() { bucket.withLock { $0.drain() } }
    }
}
