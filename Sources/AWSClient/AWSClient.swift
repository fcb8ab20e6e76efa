public import AWSSigning
public import ClairoCore
public import Curl
internal import Foundation
internal import Synchronization

/// The one way in which requests reach a service of AWS, or a server that speaks its protocol.
///
/// A request is signed and sent, and sent again where that can help. Attempts are spaced by exponential back-off with full
/// jitter (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), and by no less than `Retry-After`. Two
/// refusals are corrected on the spot, once each in a call and without a pause: a clock that differs from the server's, and
/// credentials that have expired. The adapters add what only their service has; see `S3Transport` and `ECSClient`.
///
/// Credentials, region and endpoint come from where AWS's own tools have them; see `AWSSettings`. Calls block the thread
/// that they are made on.
public final class AWSClient: Sendable {
    /// The service that is called.
    public let service: AWSService
    /// Where it is.
    public let endpoint: AWSEndpoint
    /// The region that requests are signed for.
    public let region: String
    private let credentials: AWSCredentialChain
    private let client: HTTPClient
    private let maxAttempts: Int
    private let firstDelay: Double
    private let limiter: Limiter?
    /// Seconds that the server's clock is ahead of ours.
    private let clockOffset = Mutex(0.0)

    /// A bound on how often requests are sent.
    public struct RateLimit: Sendable {
        var burst: Double
        var perSecond: Double
        var now: @Sendable () -> Double

        /// - Parameters:
        ///   - burst: requests at once.
        ///   - perSecond: requests a second after that.
        ///   - now: seconds since some moment, which never go back.
        public init(burst: Double, perSecond: Double, now: @escaping @Sendable () -> Double) {
            self.burst = burst
            self.perSecond = perSecond
            self.now = now
        }
    }

    /// Asks nothing of the network yet.
    /// - Parameters:
    ///   - maxAttempts: how often a call is sent at most; nil for `AWS_MAX_ATTEMPTS`, the profile's `max_attempts`, or
    ///     `defaultAttempts`.
    ///   - firstDelay: seconds before the second attempt are random up to this; it doubles each time, up to 20.
    ///   - endpoint: of the service, by the settings and the region.
    /// - Throws: `configuration` (78) where a setting is not what it must be.
    public init(
        _ service: AWSService, _ system: AWSSystem, maxAttempts: Int? = nil, defaultAttempts: Int,
        firstDelay: Double = 0.5, limit: RateLimit? = nil,
        endpoint: (AWSSettings, _ region: String) throws(ClairoError) -> AWSEndpoint
    ) throws(ClairoError) {
        let settings: AWSSettings
        do {
            settings = try AWSSettings(system)
        } catch {
            throw .configuration("The AWS settings cannot be used: \(error)")
        }
        let region = settings.region ?? "us-east-1"
        var configuration = HTTPClient.Configuration()
        configuration.environment = system.environment
        if let bundle = settings.caBundle { configuration.environment["AWS_CA_BUNDLE"] = bundle }
        self.service = service
        self.endpoint = try endpoint(settings, region)
        self.region = region
        credentials = AWSCredentialChain(system)
        client = HTTPClient(configuration)
        self.maxAttempts = maxAttempts ?? settings.maxAttempts ?? defaultAttempts
        self.firstDelay = firstDelay
        limiter = limit.map(Limiter.init)
    }

    // MARK: Sending

    /// Sends a call until it succeeds or cannot.
    /// - Parameters:
    ///   - amend: changes a call that failed so that it may succeed now, and says whether it did; it is sent again then.
    ///   - accept: makes the result of a reply whose status is 2xx. Where it throws, the call may be sent again.
    public func send<R>(
        _ call: AWSCall, amend: (AWSFailure, inout AWSCall) -> Bool = { _, _ in false },
        accept: (HTTPReply) throws(AWSFailure) -> R
    ) throws(AWSFailure) -> R {
        var call = call
        var corrected: Set<String> = []
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
            if amend(failure, &call) {
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

    /// A reply as the failure that it tells of.
    public func refusal(_ reply: HTTPReply, to method: String) -> AWSFailure {
        AWSFailure(.service(service.refusal(reply, method)))
    }

    // MARK: Signing

    /// An unsigned request to the service.
    /// - Parameter path: behind the endpoint's own, with its slash; not encoded.
    public func request(_ method: String, _ path: String, query: [AWSRequest.QueryItem] = []) -> AWSRequest {
        let path = endpoint.basePath + path
        return AWSRequest(
            method: method, scheme: endpoint.scheme, host: endpoint.host, path: path.isEmpty ? "/" : path, query: query)
    }

    /// A URL that executes the request without credentials until it expires.
    public func presign(_ request: AWSRequest, expiresIn seconds: Int) throws(AWSFailure) -> String {
        signer(try currentCredentials()).presign(request, at: now, expiresIn: seconds)
    }

    private func signer(_ credentials: AWSCredentials) -> SigV4Signer {
        SigV4Signer(credentials: credentials, region: region, service: service.signingName)
    }

    /// The time by the server's clock.
    private var now: Date { Date().addingTimeInterval(clockOffset.withLock { $0 }) }

    /// - Returns: whether the cause is gone, so that the call is worth sending at once.
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
            // These have other causes too. AWS accepts what is signed within five minutes of its own clock.
            guard let date = refusal.date, abs(date.timeIntervalSinceNow) > 240 else { return false }
            clockOffset.withLock { $0 = date.timeIntervalSinceNow }
            return true
        default: return false
        }
    }

    /// One bucket for all of a client's calls.
    private final class Limiter: Sendable {
        private let bucket: Mutex<TokenBucket>
        private let now: @Sendable () -> Double

        init(_ limit: RateLimit) {
            bucket = Mutex(TokenBucket(burst: limit.burst, perSecond: limit.perSecond, now: limit.now()))
            now = limit.now
        }

        /// Takes a turn, and returns the seconds until it comes.
        func take() -> Double { bucket.withLock { $0.take(at: now()) } }

        func drain() { bucket.withLock { $0.drain() } }
    }
}
