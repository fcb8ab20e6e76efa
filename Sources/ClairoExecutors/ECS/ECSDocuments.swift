// What ECS's API is asked and answers, as far as we need it. Fields and limits: the service's own model
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
    /// The same token within a day gives the same task: at most 64 characters.
    var clientToken: String
    /// What ListTasks finds ours by.
    var startedBy: String
    /// This one or the strategy, never both.
    var launchType: String?
    var capacityProviderStrategy: [ECSPlacement.CapacityProvider]?
    /// Tasks in the network mode awsvpc, which Fargate's are, have to have one.
    var networkConfiguration: Network?
    var overrides: Overrides
    var propagateTags = "TASK_DEFINITION"
}

/// What RunTask, DescribeTasks and StopTask answer.
struct TasksReply: Decodable {
    var tasks: [ECSTask]?
    var failures: [ECSCallFailure]?
}

struct ECSCallFailure: Decodable {
    var arn: String?
    /// Such as `RESOURCE:MEMORY` or `MISSING`.
    var reason: String?
    var detail: String?
}

/// A task as ECS sees it.
public struct ECSTask: Sendable, Decodable {
    /// A container of a task.
    public struct Container: Sendable, Decodable {
        /// Name in the task definition.
        public var name: String?
        /// Status, such as `RUNNING`.
        public var lastStatus: String?
        /// Exit code of its process, once it has ended.
        public var exitCode: Int?
        /// Such as `OutOfMemoryError: Container killed due to memory usage`.
        public var reason: String?
    }

    /// ARN of the task.
    public var taskArn: String
    /// PROVISIONING, PENDING, ACTIVATING, RUNNING, DEACTIVATING, STOPPING, DEPROVISIONING, STOPPED, and perhaps more one day.
    public var lastStatus: String?
    /// Status that ECS wants it to have, such as `STOPPED`.
    public var desiredStatus: String?
    /// The name that the worker gave when it started the task.
    public var startedBy: String?
    /// Why it is stopped, of a closed set.
    public var stopCode: String?
    /// The same in words, which mostly begin with a code of their own.
    public var stoppedReason: String?
    /// Units, of which 1024 are a CPU; as text.
    public var cpu: String?
    /// MiB, as text.
    public var memory: String?
    /// Its containers.
    public var containers: [Container]?

    /// Whether it has not begun to do anything yet.
    var isPending: Bool { ["PROVISIONING", "PENDING", "ACTIVATING"].contains(lastStatus) }
    var isStopped: Bool { lastStatus == "STOPPED" }
    /// Whether its containers have ended.
    var hasEnded: Bool { ["DEPROVISIONING", "STOPPED", "DELETED"].contains(lastStatus) }
}

struct DescribeTasksRequest: Encodable {
    var cluster: String
    var tasks: [String]
    /// The most that one call takes.
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
