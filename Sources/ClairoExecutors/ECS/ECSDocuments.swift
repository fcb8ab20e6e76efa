// Requests and replies of the ECS API, as far as they are needed. Source of the fields and limits: the service model
// (botocore data/ecs/2014-11-13/service-2.json).

struct RunTaskRequest: Encodable {
    struct Network: Encodable {
        struct VPC: Encodable {
            var subnets: [String]
            var securityGroups: [String]
            var assignPublicIp: String
        }
        var awsvpcConfiguration: VPC
    }

    struct Overrides: Encodable {
        struct Container: Encodable {
            var name: String
            var command: [String]
            var environment: [Variable]
        }
        var containerOverrides: [Container]
    }

    struct Variable: Encodable {
        var name: String
        var value: String
    }

    var cluster: String
    var taskDefinition: String
    var count = 1
    /// The idempotency token, up to 64 characters. The same token within a day yields the same task.
    var clientToken: String
    /// The value by which ListTasks finds Clairo's tasks.
    var startedBy: String
    /// The launch type, or nil if there is a capacity provider strategy.
    var launchType: String?
    var capacityProviderStrategy: [ECSPlacement.CapacityProvider]?
    /// Required for the network mode awsvpc, which Fargate uses.
    var networkConfiguration: Network?
    var overrides: Overrides
    var propagateTags = "TASK_DEFINITION"
}

/// The reply of RunTask, DescribeTasks and StopTask.
struct TasksReply: Decodable {
    var tasks: [ECSTask]?
    var failures: [ECSCallFailure]?
}

struct ECSCallFailure: Decodable {
    var arn: String?
    /// For example `RESOURCE:MEMORY` or `MISSING`.
    var reason: String?
    var detail: String?
}

/// The state of a task in ECS.
public struct ECSTask: Sendable, Decodable {
    /// A container of a task.
    public struct Container: Sendable, Decodable {
        /// Name in the task definition.
        public var name: String?
        /// Status, such as `RUNNING`.
        public var lastStatus: String?
        /// Exit code of its process, once it has ended.
        public var exitCode: Int?
        /// For example `OutOfMemoryError: Container killed due to memory usage`.
        public var reason: String?
    }

    /// ARN of the task.
    public var taskArn: String
    /// PROVISIONING, PENDING, ACTIVATING, RUNNING, DEACTIVATING, STOPPING, DEPROVISIONING or STOPPED. AWS may add
    /// others.
    public var lastStatus: String?
    /// The status that ECS wants the task to have, such as `STOPPED`.
    public var desiredStatus: String?
    /// The name that the worker gave when it started the task.
    public var startedBy: String?
    /// The stop code, from a closed set.
    public var stopCode: String?
    /// The stop reason as text, which often starts with an error code.
    public var stoppedReason: String?
    /// CPU units, as text; 1024 are one CPU.
    public var cpu: String?
    /// The memory in MiB, as text.
    public var memory: String?
    /// Its containers.
    public var containers: [Container]?

    /// Whether the task has not started yet.
    var isPending: Bool { ["PROVISIONING", "PENDING", "ACTIVATING"].contains(lastStatus) }
    var isStopped: Bool { lastStatus == "STOPPED" }
    /// Whether the task's containers have ended.
    var hasEnded: Bool { ["DEPROVISIONING", "STOPPED", "DELETED"].contains(lastStatus) }
}

struct DescribeTasksRequest: Encodable {
    var cluster: String
    var tasks: [String]
    /// The maximum number of tasks per call.
    static let limit = 100
}

struct StopTaskRequest: Encodable {
    var cluster: String
    var task: String
    var reason: String
}

struct ListTasksRequest: Encodable {
    var cluster: String
    var family: String
    var desiredStatus: String
    var nextToken: String?
}

struct ListTasksReply: Decodable {
    var taskArns: [String]?
    var nextToken: String?
}

struct DescribeClustersRequest: Encodable {
    var clusters: [String]
}

struct ClustersReply: Decodable {
    struct Cluster: Decodable {
        var status: String?
        var capacityProviders: [String]?
    }
    var clusters: [Cluster]?
    var failures: [ECSCallFailure]?
}

struct DescribeTaskDefinitionRequest: Encodable {
    var taskDefinition: String
}

struct TaskDefinitionReply: Decodable {
    struct Definition: Decodable {
        struct Container: Decodable { var name: String? }
        var taskDefinitionArn: String?
        var status: String?
        var networkMode: String?
        var containerDefinitions: [Container]?
    }
    var taskDefinition: Definition?
}
