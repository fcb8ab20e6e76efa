public import ClairoCore
internal import Foundation

/// Statistics of the tasks in a cluster that Clairo started.
public struct ECSTaskStatistics: Sendable {
    /// Tasks with the same status.
    public struct Group: Sendable, Hashable {
        /// Number of tasks.
        public var count = 0
        /// Allocated CPUs.
        public var cpus = 0.0
        /// Allocated memory in bytes.
        public var memory = 0.0

        public init() {}

        init(count: Int, cpus: Double, memory: Double) {
            self.count = count
            self.cpus = cpus
            self.memory = memory
        }
    }

    /// Values of `lastStatus`
    /// (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html).
    public static let states = [
        "PROVISIONING", "PENDING", "ACTIVATING", "RUNNING", "DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED",
    ]
    /// Values of `stopCode`.
    public static let stopCodes = [
        "TaskFailedToStart", "EssentialContainerExited", "UserInitiated", "ServiceSchedulerInitiated",
        "SpotInterruption", "TerminationNotice",
    ]
    /// Stands for any other value, as a metric label.
    public static let other = "other"

    /// Tasks by status.
    public private(set) var tasks: [String: Group] = [:]
    /// Stopped tasks by stop code. ECS keeps them for an hour.
    public private(set) var stopped: [String: Int] = [:]

    init(_ tasks: [ECSTask]) {
        for task in tasks {
            let state = task.lastStatus.flatMap { Self.states.contains($0) ? $0 : nil } ?? Self.other
            self.tasks[state, default: Group()].count += 1
            // 1024 units are one CPU.
            self.tasks[state, default: Group()].cpus += (task.cpu.flatMap(Double.init) ?? 0) / 1024
            self.tasks[state, default: Group()].memory += (task.memory.flatMap(Double.init) ?? 0) * 1_048_576
            if task.isStopped {
                stopped[task.stopCode.flatMap { Self.stopCodes.contains($0) ? $0 : nil } ?? Self.other, default: 0] += 1
            }
        }
    }

    /// The approximate maximum number of tasks to read, because there may be thousands of stopped ones.
    static let limit = 2000

    /// Reads the statistics from ECS.
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
        // ListTasks cannot combine `startedBy` with other filters, and finds no stopped tasks with it, so this filters
        // by family.
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
