public import ClairoCore
internal import Foundation
internal import Synchronization

/// Runs each task as a task of Amazon ECS, on Fargate or on machines of the operator.
///
/// ```
/// worker                                  S3: exchange folder                     ECS task: clairo run-task --spec
///   spec.json, lease.json ──────────────►                ──────────────►  reads its source by a presigned URL,
///   RunTask ─► ECS                                                        runs the engine in the process sandbox,
///   progress.json, result.json ◄─────────                ◄──────────────  writes into the output store
///   looks at what was written
/// ```
///
/// The task has a role that reaches the output store and the exchange (one prefix), and neither database nor queue. As long
/// as the lease's number grows it may write; a worker that dies or is cut off takes its tasks with it, a minute later.
/// What becomes of a task is one attempt:
///
/// - It says itself why it failed: that error as it is.
/// - ECS has no room: `capacity`.
/// - Its machine was taken away (Spot), it was stopped, it vanished, it gave no sign of life: `transient`.
/// - It ended without a result, ran out of its memory, or did not start: `defect`.
/// - ECS refuses this worker (no such cluster, no permission): the worker ends, and the task is for others.
public struct ECSExecutor: TaskExecutor {
    /// How patient it is. Seconds.
    public struct Pace: Sendable {
        /// Between two looks at the exchange; grows from the first to the second.
        public var poll = (first: 1.0, longest: 5.0)
        /// Between two looks at ECS's own word; grows likewise.
        public var look = (first: 2.0, longest: 30.0)
        /// Between two looks of the task at its lease, and between two signs of progress.
        public var sign = 5.0
        /// For ECS to know a task that it has just started: its API is eventually consistent.
        public var unknown = 300.0
        /// For a task to begin: machines and images may take minutes.
        public var start = 900.0
        /// Without a sign of life of a task that runs.
        public var stall = 180.0
        /// For a task that is stopped to be seen at its end. The lease is gone by then: it writes nothing any more.
        public var stopping = 2.0
        /// Tasks of this worker that ECS has not begun yet: a cluster takes some hundreds of them, from everybody.
        public var pending = 50

        public init() {}
    }

    private let service: ECSService

    /// - Parameters:
    ///   - exchange: where worker and tasks exchange documents, in S3. It must work for a moment after a request to stop.
    ///   - arguments: of `clairo` in the container, before `--spec URL`.
    ///   - environment: variables for the container. No secrets: whoever may describe tasks reads them.
    public init(
        _ client: ECSClient, placement: ECSPlacement, exchange: any ExchangeStore,
        arguments: [String] = ["run-task"], environment: [String: String] = [:], pace: Pace = Pace()
    ) {
        service = ECSService(
            client: client, placement: placement, exchange: exchange, arguments: arguments, environment: environment,
            pace: pace, watch: TaskWatch(client, cluster: placement.cluster), pending: PendingGate(max(1, pace.pending))
        )
    }

    public func run(
        _ spec: TaskSpec, io: TaskIO, observer: TaskObserver, stop: StopRequest
    ) async throws(ClairoError) -> TaskResult {
        try await onDedicatedThread(name: "ecs-task") { [service] () throws(ClairoError) in
            try ECSAttempt(service: service, spec: spec, io: io, observer: observer, stop: stop).run()
        }
    }

    /// Makes sure that cluster and task definition are there and fit together, and says what is wrong otherwise.
    /// - Returns: what was found, for people.
    public func check() async throws(ClairoError) -> String {
        try await onDedicatedThread(name: "ecs-check") { [service] () throws(ClairoError) in try service.check() }
    }
}

/// What all attempts of one executor share.
struct ECSService: Sendable {
    let client: ECSClient
    let placement: ECSPlacement
    let exchange: any ExchangeStore
    let arguments: [String]
    let environment: [String: String]
    let pace: ECSExecutor.Pace
    let watch: TaskWatch
    let pending: PendingGate

    /// The value of `startedBy` by which our tasks are told from others.
    static let startedBy = "clairo"

    func request(_ spec: TaskSpec, specURL: String) -> RunTaskRequest {
        let place = placement
        let network = RunTaskRequest.Network(
            awsvpcConfiguration: .init(
                subnets: place.subnets, securityGroups: place.securityGroups,
                assignPublicIp: place.assignsPublicIP ? "ENABLED" : "DISABLED"))
        return RunTaskRequest(
            cluster: place.cluster, taskDefinition: place.taskDefinition, clientToken: "\(spec.taskID)-\(spec.attempt)",
            startedBy: Self.startedBy, launchType: place.capacityProviders.isEmpty ? "FARGATE" : nil,
            capacityProviderStrategy: place.capacityProviders.isEmpty ? nil : place.capacityProviders,
            networkConfiguration: place.subnets.isEmpty ? nil : network,
            overrides: .init(containerOverrides: [
                .init(
                    name: place.container, command: arguments + ["--spec", specURL],
                    environment: environment.sorted { $0.key < $1.key }.map { .init(name: $0.key, value: $0.value) })
            ]))
    }

    func check() throws(ClairoError) -> String {
        let stop = StopRequest()
        let clusters = try client.describeCluster(placement.cluster, stop: stop)
        guard let cluster = clusters.clusters?.first, cluster.status == "ACTIVE" else {
            throw .configuration(
                "There is no active ECS cluster \(placement.cluster) in \(client.region)",
                advice: "Check --ecs-cluster and AWS_REGION.")
        }
        let own = ["FARGATE", "FARGATE_SPOT"]
        for provider in placement.capacityProviders.map(\.capacityProvider) {
            guard cluster.capacityProviders?.contains(provider) == true else {
                throw .configuration(
                    "The ECS cluster \(placement.cluster) has no capacity provider \(provider)",
                    advice: own.contains(provider)
                        ? "Add it: aws ecs put-cluster-capacity-providers." : "Check --ecs-capacity-provider.")
            }
        }
        let name = placement.taskDefinition
        guard let definition = try client.describeTaskDefinition(name, stop: stop).taskDefinition,
            definition.status ?? "ACTIVE" == "ACTIVE"
        else {
            throw .configuration(
                "There is no active ECS task definition \(name)", advice: "Check --ecs-task-definition.")
        }
        guard definition.containerDefinitions?.contains(where: { $0.name == placement.container }) == true else {
            throw .configuration(
                "The ECS task definition \(name) has no container \(placement.container)",
                advice: "Check --ecs-container.")
        }
        if definition.networkMode == "awsvpc", placement.subnets.isEmpty {
            throw .configuration(
                "Tasks of the ECS task definition \(name) need subnets to run in",
                advice: "Name them with --ecs-subnets or CLAIRO_ECS_SUBNETS.")
        }
        let revision = definition.taskDefinitionArn?.split(separator: "/").last.map(String.init) ?? name
        return "\(placement.cluster), \(revision), container \(placement.container)"
    }
}
