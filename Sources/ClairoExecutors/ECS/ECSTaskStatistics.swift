public import ClairoCore
internal import Foundation

/// The tasks of a cluster that Clairo has started, as ECS sees them.
public struct ECSTaskStatistics: Sendable {
    /// Tasks with the same status.
    public struct Group: Sendable, Hashable {
        /// Number of tasks.
        public var count = 0
        /// CPUs that they have.
        public var cpus = 0.0
        /// Bytes of memory that they have.
        public var memory = 0.0

        public init() {}

        init(count: Int, cpus: Double, memory: Double) {
            self.count = count
            self.cpus = cpus
            self.memory = memory
        }
    }

    /// What `lastStatus` can be (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html).
    public static let states = [
        "PROVISIONING", "PENDING", "ACTIVATING", "RUNNING", "DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED",
    ]
    /// Why a task was stopped.
    public static let stopCodes = [
        "TaskFailedToStart", "EssentialContainerExited", "UserInitiated", "ServiceSchedulerInitiated",
        "SpotInterruption", "TerminationNotice",
    ]
    /// What is none of them.
    public static let other = "other"

    /// By state.
    public private(set) var tasks: [String: Group] = [:]
    /// Those that are stopped, by the code. ECS forgets them after an hour.
    public private(set) var stopped: [String: Int] = [:]

    init(_ tasks: [ECSTask]) {
        for task in tasks {
            let state = task.lastStatus.flatMap { Self.states.contains($0) ? $0 : nil } ?? Self.other
            self.tasks[state, default: Group()].count += 1
            // 1024 units are a CPU.
            self.tasks[state, default: Group()].cpus += (task.cpu.flatMap(Double.init) ?? 0) / 1024
            self.tasks[state, default: Group()].memory += (task.memory.flatMap(Double.init) ?? 0) * 1_048_576
            if task.isStopped {
                stopped[task.stopCode.flatMap { Self.stopCodes.contains($0) ? $0 : nil } ?? Self.other, default: 0] += 1
            }
        }
    }

    /// The most tasks that are looked at: stopped ones may be thousands.
    static let limit = 2000

    /// Asks ECS.
    public static func take(
        _ client: ECSClient, placement: ECSPlacement
    ) async throws(ClairoError) -> ECSTaskStatistics {
        try await onDedicatedThread(name: "ecs-statistics") { () throws(ClairoError) in
            try takeHere(client, placement)
        }
    }

    private static func takeHere(_ client: ECSClient, _ placement: ECSPlacement) throws(ClairoError)
        -> ECSTaskStatistics
    {
        let stop = StopRequest()
        var arns: [String] = []
        // A filter by startedBy may have no other beside it, and finds no stopped tasks; the family does both.
        for status in ["RUNNING", "STOPPED"] {
            var token: String?
            repeat {
                let page = try client.listTasks(
                    ListTasksRequest(
                        cluster: placement.cluster, family: placement.family, desiredStatus: status, nextToken: token),
                    stop: stop)
                arns += page.taskArns ?? []
                token = page.nextToken
            } while token != nil && arns.count < limit
        }
        var tasks: [ECSTask] = []
        for start in stride(from: 0, to: arns.count, by: DescribeTasksRequest.limit) {
            let batch = Array(arns[start..<min(start + DescribeTasksRequest.limit, arns.count)])
            tasks += try client.describeTasks(batch, cluster: placement.cluster, stop: stop).tasks ?? []
        }
        return ECSTaskStatistics(tasks.filter { $0.startedBy == ECSService.startedBy })
    }
}
