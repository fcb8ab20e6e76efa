public import ClairoCore
internal import Foundation
internal import Synchronization

/// Runs each task as an Amazon ECS task, on Fargate or on the operator's own machines.
///
/// ```
/// worker                                  S3: exchange folder                     ECS task: clairo run-task --spec
///   spec.json, lease.json ──────────────►                ──────────────►  reads its source by a presigned URL,
///   RunTask ─► ECS                                                        runs the engine in the process sandbox,
///   progress.json, result.json ◄─────────                ◄──────────────  writes into the output store
///   verifies what was written
/// ```
///
/// The task's role gives access to the exchange, but not to the database or the queue. With an `ECSOutputRole`, the
/// worker gives each task credentials that reach the output folder of its job and nothing else. Without one, the task's
/// role must reach the output store, and so each task reaches the output of all jobs.
///
/// The task may write as long as the counter in its lease grows. If a worker dies or loses its connection, its tasks
/// stop a minute later. The outcome of an attempt depends on the ECS task:
///
/// - The task reports its own error: that error.
/// - ECS has no capacity: `capacity`.
/// - Its machine was reclaimed (Spot), it was stopped from outside, ECS no longer knows it, or it sent no heartbeat:
///   `transient`.
/// - It ended without a result, ran out of memory, or did not start: `defect`.
/// - ECS rejects this worker (no such cluster, no permission): the worker ends, and other workers run the task.
public struct ECSExecutor: TaskExecutor {
    /// Intervals and timeouts in seconds.
    public struct Pace: Sendable {
        /// Interval between reads of the exchange. Grows from the first value to the second.
        public var poll = (first: 1.0, longest: 5.0)
        /// Interval between reads of the task's state from ECS. Grows from the first value to the second.
        public var look = (first: 2.0, longest: 30.0)
        /// Interval between the task's reads of its lease and between its progress reports.
        public var sign = 5.0
        /// How long a task that was just started may be missing from ECS's replies, because the API is eventually
        /// consistent.
        public var unknown = 300.0
        /// How long a task may take to start. Provisioning a machine and pulling the image may take minutes.
        public var start = 900.0
        /// How long a running task may be without a heartbeat.
        public var stall = 180.0
        /// How long to wait for a stopped task to end. Its lease has been deleted by then, so it writes nothing.
        public var stopping = 2.0
        /// The maximum number of this worker's tasks that ECS has not started yet. A cluster accepts some hundreds in
        /// total.
        public var pending = 50

        public init() {}
    }

    private let service: ECSService

    /// - Parameters:
    ///   - exchange: The store on S3 in which workers and tasks exchange documents. It must remain usable for a few
    ///     seconds after a stop request.
    ///   - access: Gives tasks access to the output folder of their job; nil if the tasks' own role reaches the output
    ///     store.
    ///   - arguments: Arguments of `clairo` in the container, before `--spec URL`.
    ///   - environment: Variables of the container. They must not contain secrets, because anyone who may describe
    ///     tasks can read them.
    public init(
        _ client: ECSClient, placement: ECSPlacement, exchange: any ExchangeStore,
        access: (client: STSClient, role: ECSOutputRole)? = nil,
        arguments: [String] = ["run-task"], environment: [String: String] = [:], pace: Pace = Pace()
    ) {
        service = ECSService(
            client: client, placement: placement, exchange: exchange, access: access, arguments: arguments,
            environment: environment,
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

    /// Checks that the cluster and the task definition exist and fit the settings.
    /// - Returns: A description for display.
    public func check() async throws(ClairoError) -> String {
        try await onDedicatedThread(name: "ecs-check") { [service] () throws(ClairoError) in try service.check() }
    }
}

/// State shared by all attempts of an executor.
struct ECSService: Sendable {
    let client: ECSClient
    let placement: ECSPlacement
    let exchange: any ExchangeStore
    let access: (client: STSClient, role: ECSOutputRole)?
    let arguments: [String]
    let environment: [String: String]
    let pace: ECSExecutor.Pace
    let watch: TaskWatch
    let pending: PendingGate

    /// The value of `startedBy` that identifies Clairo's tasks.
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
                "No active ECS cluster \(placement.cluster) in \(client.region)",
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
                "No active ECS task definition \(name)", advice: "Check --ecs-task-definition.")
        }
        guard definition.containerDefinitions?.contains(where: { $0.name == placement.container }) == true else {
            throw .configuration(
                "The ECS task definition \(name) has no container \(placement.container)",
                advice: "Check --ecs-container.")
        }
        if definition.networkMode == "awsvpc", placement.subnets.isEmpty {
            throw .configuration(
                "Tasks of the ECS task definition \(name) need subnets to run in",
                advice: "Set them with --ecs-subnets or CLAIRO_ECS_SUBNETS.")
        }
        let revision = definition.taskDefinitionArn?.split(separator: "/").last.map(String.init) ?? name
        return "\(placement.cluster), \(revision), container \(placement.container)"
    }
}
