public import AWSSigning
public import ClairoCore
internal import Curl
internal import Foundation
internal import Synchronization

/// ECS's API: JSON 1.1 over HTTPS, signed. Calls block.
///
/// All calls of one client go through one token bucket, so a worker with many tasks stays below what AWS allows to all of
/// an account's programs. What is throttled, or fails for a passing reason, is sent again with exponential back-off and full
/// jitter; RunTask has a token that makes it one task, however often it arrives.
///
/// Credentials, region and endpoint come from where AWS's own tools have them: `AWS_ENDPOINT_URL_ECS`, `AWS_ENDPOINT_URL`.
public final class ECSClient: Sendable {
    struct Place: Sendable {
        var endpoint: String
        var region: String
    }

    /// Calls at once, and calls a second after that.
    static let burst = 10.0
    static let rate = 5.0
    private static let target = "AmazonEC2ContainerServiceV20141113"

    let place: Place
    let clock: ECSClock
    private let scheme: String
    private let host: String
    private let path: String
    private let credentials: AWSCredentialChain
    private let client: HTTPClient
    private let maxAttempts: Int
    private let bucket: TokenBucket
    private let observe: (@Sendable (ECSEvent) -> Void)?
    /// Seconds that the server's clock is ahead of ours.
    private let clockOffset = Mutex(0.0)

    /// Nothing is asked of the network yet.
    /// - Parameter observe: is told of each attempt at a call.
    /// - Throws: `configuration` (78) where a setting is not what it must be.
    public init(
        _ system: AWSSystem, clock: ECSClock = ECSClock(), observe: (@Sendable (ECSEvent) -> Void)? = nil
    ) throws(ClairoError) {
        let settings: AWSSettings
        do {
            settings = try AWSSettings(system)
        } catch {
            throw .configuration("The AWS settings cannot be used: \(error)")
        }
        let region = settings.region ?? "us-east-1"
        let domain = region.hasPrefix("cn-") ? "amazonaws.com.cn" : "amazonaws.com"
        let endpoint = settings.endpointURL(of: "ecs") ?? "https://ecs.\(region).\(domain)"
        guard let parts = URLComponents(string: endpoint), let scheme = parts.scheme?.lowercased(),
            ["http", "https"].contains(scheme), let name = parts.host, !name.isEmpty, parts.user == nil,
            parts.query == nil
        else {
            throw .configuration(
                "The ECS endpoint is not a URL that can be used",
                advice: "Set AWS_ENDPOINT_URL_ECS to something like https://ecs.eu-central-1.amazonaws.com.")
        }
        let isOwnPort = parts.port == nil || parts.port == (scheme == "http" ? 80 : 443)
        self.scheme = scheme
        host = isOwnPort ? name : "\(name):\(parts.port ?? 0)"
        path = parts.path.isEmpty ? "/" : parts.path
        place = Place(endpoint: "\(scheme)://\(host)", region: region)
        credentials = AWSCredentialChain(system)
        maxAttempts = settings.maxAttempts ?? 6
        self.clock = clock
        self.observe = observe
        bucket = TokenBucket(burst: Self.burst, rate: Self.rate, now: clock.now)
        var configuration = HTTPClient.Configuration()
        configuration.environment = system.environment
        if let bundle = settings.caBundle { configuration.environment["AWS_CA_BUNDLE"] = bundle }
        client = HTTPClient(configuration)
    }

    // MARK: Calls

    func runTask(_ request: RunTaskRequest, stop: StopRequest) throws(ClairoError) -> TasksReply {
        try call(.runTask, request, "Starting a task in the ECS cluster \(request.cluster)", stop)
    }

    /// - Parameters:
    ///   - arns: at most `DescribeTasksRequest.limit`.
    ///   - attempts: fewer for who asks again anyway, and has something else to do meanwhile.
    func describeTasks(
        _ arns: [String], cluster: String, attempts: Int? = nil, stop: StopRequest
    ) throws(ClairoError) -> TasksReply {
        try call(
            .describeTasks, DescribeTasksRequest(cluster: cluster, tasks: arns),
            "Asking for tasks of the ECS cluster \(cluster)", attempts: attempts, stop)
    }

    func stopTask(_ arn: String, cluster: String, reason: String, stop: StopRequest) throws(ClairoError) {
        struct Reply: Decodable {}
        let _: Reply = try call(
            .stopTask, StopTaskRequest(cluster: cluster, task: arn, reason: reason),
            "Stopping a task in the ECS cluster \(cluster)", stop)
    }

    func listTasks(_ request: ListTasksRequest, stop: StopRequest) throws(ClairoError) -> ListTasksReply {
        try call(.listTasks, request, "Listing the tasks of the ECS cluster \(request.cluster)", stop)
    }

    func describeCluster(_ cluster: String, stop: StopRequest) throws(ClairoError) -> ClustersReply {
        try call(
            .describeClusters, DescribeClustersRequest(clusters: [cluster]), "Looking at the ECS cluster \(cluster)",
            stop)
    }

    func describeTaskDefinition(_ name: String, stop: StopRequest) throws(ClairoError) -> TaskDefinitionReply {
        try call(
            .describeTaskDefinition, DescribeTaskDefinitionRequest(taskDefinition: name),
            "Looking at the ECS task definition \(name)", stop)
    }

    // MARK: How it works

    private func call<Reply: Decodable>(
        _ operation: ECSEvent.Operation, _ request: some Encodable, _ doing: String, attempts: Int? = nil,
        _ stop: StopRequest
    ) throws(ClairoError) -> Reply {
        let body: Data
        do {
            body = try JSON.encode(request, pretty: false)
        } catch {
            throw .defect("\(doing): the request cannot be written: \(error)")
        }
        do {
            return try send(operation, body, attempts ?? maxAttempts, stop)
        } catch {
            throw error.error(doing, place)
        }
    }

    private func send<Reply: Decodable>(
        _ operation: ECSEvent.Operation, _ body: Data, _ maxAttempts: Int, _ stop: StopRequest
    ) throws(ECSFailure) -> Reply {
        let token = Cancellation()
        let handler = stop.onCancel { token.cancel() }
        defer { stop.forget(handler) }
        var isMended = false
        var attempt = 1
        while true {
            try pause(bucket.take(), stop)
            var failure: ECSFailure
            do throws(ECSFailure) {
                let (reply, used) = try once(operation, body, token)
                guard reply.head.isSuccess else {
                    let failure = ECSFailure(reply)
                    if !isMended, mend(failure, used) {
                        isMended = true
                        tell(failure, of: operation)
                        continue
                    }
                    throw failure
                }
                let decoded: Reply
                do {
                    decoded = try JSONDecoder().decode(Reply.self, from: reply.body)
                } catch {
                    throw ECSFailure(.badReply("the answer of \(place.endpoint) cannot be read"))
                }
                observe?(ECSEvent(operation: operation, outcome: .success))
                return decoded
            } catch { failure = error }
            tell(failure, of: operation)
            failure.attempts = attempt
            if failure.isThrottle { bucket.drain() }
            guard failure.isRetryable, attempt < maxAttempts else { throw failure }
            // https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
            var seconds = Double.random(in: 0...min(20, 0.5 * Double(1 << min(attempt - 1, 10))))
            if case .service(let service) = failure.cause { seconds = max(seconds, min(service.retryAfter ?? 0, 60)) }
            try pause(seconds, stop)
            attempt += 1
        }
    }

    private func tell(_ failure: ECSFailure, of operation: ECSEvent.Operation) {
        if let outcome = ECSEvent.Outcome(failure) { observe?(ECSEvent(operation: operation, outcome: outcome)) }
    }

    private func pause(_ seconds: Double, _ stop: StopRequest) throws(ECSFailure) {
        guard !stop.isCancelled, seconds <= 0 || clock.sleep(seconds, stop) else { throw ECSFailure(.cancelled) }
    }

    private func once(
        _ operation: ECSEvent.Operation, _ body: Data, _ token: Cancellation
    ) throws(ECSFailure) -> (HTTPReply, AWSCredentials) {
        let used: AWSCredentials
        do { used = try credentials.credentials() } catch { throw ECSFailure(.credentials(error)) }
        let unsigned = AWSRequest(
            method: "POST", scheme: scheme, host: host, path: path,
            headers: [
                .init("Content-Type", "application/x-amz-json-1.1"),
                .init("X-Amz-Target", "\(Self.target).\(operation.target)"),
            ], payload: .init(body))
        let signed = SigV4Signer(credentials: used, region: place.region, service: "ecs")
            .sign(unsigned, at: Date().addingTimeInterval(clockOffset.withLock { $0 }))
        var message = HTTPRequest("POST", signed.url)
        for header in signed.headers { message.headers.append(header.name, header.value) }
        message.connectTimeout = 5
        message.stallTimeout = 30
        do {
            return (try client.send(message, body: .data(body), limit: 16 << 20, cancellation: token), used)
        } catch let error as CurlError {
            throw ECSFailure(.network(error))
        } catch {
            throw ECSFailure(.badReply("\(error)"))
        }
    }

    /// - Returns: whether the cause is out of the world, so that the call is worth sending at once.
    private func mend(_ failure: ECSFailure, _ used: AWSCredentials) -> Bool {
        guard case .service(let service) = failure.cause else { return false }
        switch service.code {
        case "ExpiredTokenException", "ExpiredToken":
            credentials.invalidate(used)
            return true
        case "InvalidSignatureException", "RequestExpired":
            // AWS takes what is signed within five minutes of its own clock.
            guard let date = service.date, abs(date.timeIntervalSinceNow) > 240 else { return false }
            clockOffset.withLock { $0 = date.timeIntervalSinceNow }
            return true
        default: return false
        }
    }
}
