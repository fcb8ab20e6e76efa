internal import AWSClient
public import AWSSigning
public import ClairoCore
internal import Curl
internal import Foundation

/// A client of the ECS API: JSON 1.1 over HTTPS, through `AWSClient`. Calls block.
///
/// One token bucket limits the rate of all calls of a client, so a worker with many tasks stays below the limit that
/// AWS sets for the whole account (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html:
/// 20 per second for RunTask). RunTask has an idempotency token, so a repeated request does not start a second task.
public final class ECSClient: Sendable {
    private static let target = "AmazonEC2ContainerServiceV20141113"

    let clock: ECSClock
    var region: String { client.region }
    private let client: AWSClient
    private let observe: (@Sendable (ECSEvent) -> Void)?

    /// Creates the client. Makes no requests yet.
    /// - Parameter observe: Called for each attempt of a call.
    /// - Throws: `configuration` (78) if a setting is invalid.
    public init(
        _ system: AWSSystem, clock: ECSClock = ECSClock(), observe: (@Sendable (ECSEvent) -> Void)? = nil
    ) throws(ClairoError) {
        client = try AWSClient(
            .ecs, system, defaultAttempts: 6,
            limit: AWSClient.RateLimit(burst: 10, perSecond: 5, now: clock.now)
        ) { (settings, region) throws(ClairoError) in
            guard let url = settings.endpointURL(of: "ecs") else {
                return AWSEndpoint(host: "ecs.\(region).\(AWSEndpoint.domain(of: region))")
            }
            return try AWSEndpoint(url: url, of: .ecs)
        }
        self.clock = clock
        self.observe = observe
    }

    // MARK: Calls

    func runTask(_ request: RunTaskRequest, stop: StopRequest) throws(ClairoError) -> TasksReply {
        try call(.runTask, request, "Starting a task in the ECS cluster \(request.cluster)", stop)
    }

    /// - Parameters:
    ///   - arns: The ARNs of the tasks, at most `DescribeTasksRequest.limit`.
    ///   - attempts: The maximum number of attempts, or nil for the default. Callers that poll need few.
    func describeTasks(
        _ arns: [String], cluster: String, attempts: Int? = nil, stop: StopRequest
    ) throws(ClairoError) -> TasksReply {
        try call(
            .describeTasks, DescribeTasksRequest(cluster: cluster, tasks: arns),
            "Describing tasks of the ECS cluster \(cluster)", attempts: attempts, stop)
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
            .describeClusters, DescribeClustersRequest(clusters: [cluster]), "Describing the ECS cluster \(cluster)",
            stop)
    }

    func describeTaskDefinition(_ name: String, stop: StopRequest) throws(ClairoError) -> TaskDefinitionReply {
        try call(
            .describeTaskDefinition, DescribeTaskDefinitionRequest(taskDefinition: name),
            "Describing the ECS task definition \(name)", stop)
    }

    // MARK: Implementation

    private func call<Reply: Decodable>(
        _ operation: ECSEvent.Operation, _ request: some Encodable, _ doing: String, attempts: Int? = nil,
        _ stop: StopRequest
    ) throws(ClairoError) -> Reply {
        let body: Data
        do {
            body = try JSON.encode(request, pretty: false)
        } catch {
            throw .defect("\(doing): the request cannot be encoded: \(error)")
        }
        do throws(AWSFailure) {
            return try send(operation, body, attempts, stop)
        } catch {
            throw error.ecsError(doing, client)
        }
    }

    private func send<Reply: Decodable>(
        _ operation: ECSEvent.Operation, _ body: Data, _ maxAttempts: Int?, _ stop: StopRequest
    ) throws(AWSFailure) -> Reply {
        guard !stop.isCancelled else { throw AWSFailure(.cancelled) }
        let token = Cancellation()
        let handler = stop.onCancel { token.cancel() }
        defer { stop.forget(handler) }
        let (clock, observe) = (clock, observe)
        var call = AWSCall(
            "POST",
            headers: [
                .init("Content-Type", "application/x-amz-json-1.1"),
                .init("X-Amz-Target", "\(Self.target).\(operation.target)"),
            ], body: body, pause: { seconds in !stop.isCancelled && (seconds <= 0 || clock.sleep(seconds, stop)) })
        call.connectTimeout = 5
        call.stallTimeout = 30
        call.maxAttempts = maxAttempts
        call.cancellation = token
        call.observe = { attempt in
            guard let failure = attempt.failure else {
                observe?(ECSEvent(operation: operation, outcome: .success))
                return
            }
            if let outcome = ECSEvent.Outcome(failure) { observe?(ECSEvent(operation: operation, outcome: outcome)) }
        }
        let endpoint = client.endpoint
        return try client.send(call) { (reply) throws(AWSFailure) in
            do {
                return try JSONDecoder().decode(Reply.self, from: reply.body)
            } catch {
                throw AWSFailure(.badReply("the reply of \(endpoint) cannot be parsed"))
            }
        }
    }
}
