public import ClairoCore

/// Where tasks run in ECS.
public struct ECSPlacement: Sendable, Hashable {
    /// A capacity provider: FARGATE, FARGATE_SPOT, or one of the operator's own.
    public struct CapacityProvider: Sendable, Codable, Hashable {
        /// Name of the capacity provider.
        public var capacityProvider: String
        /// Its share of the tasks, relative to the weights of the other providers.
        public var weight: Int
        /// The number of tasks that it gets before the weights apply.
        public var base: Int?
    }

    /// The name or ARN of the cluster.
    public var cluster: String
    /// The task definition: family, family and revision, or ARN.
    public var taskDefinition: String
    /// The name of the container that runs Clairo.
    public var container: String
    /// Subnets that tasks run in.
    public var subnets: [String]
    /// Security groups of tasks.
    public var securityGroups: [String]
    /// Whether tasks get public IP addresses.
    public var assignsPublicIP: Bool
    /// Empty for plain Fargate, which needs no capacity providers in the cluster.
    public var capacityProviders: [CapacityProvider]

    public init(
        cluster: String, taskDefinition: String, container: String = "clairo", subnets: [String] = [],
        securityGroups: [String] = [], assignsPublicIP: Bool = false, capacityProviders: [CapacityProvider] = []
    ) {
        self.cluster = cluster
        self.taskDefinition = taskDefinition
        self.container = container
        self.subnets = subnets
        self.securityGroups = securityGroups
        self.assignsPublicIP = assignsPublicIP
        self.capacityProviders = capacityProviders
    }

    /// The family, which all revisions of the task definition share.
    public var family: String {
        let name = taskDefinition.split(separator: "/").last ?? ""
        return String(name.prefix { $0 != ":" })
    }
}

extension ECSPlacement.CapacityProvider {
    /// The maximum number of providers in a strategy (RunTask's documentation).
    private static let limit = 6

    /// Parses `FARGATE_SPOT`, or several with weights: `FARGATE=1,FARGATE_SPOT=4`. A number after `+` is the base:
    /// `FARGATE=1+2` gets the first two tasks.
    /// - Throws: `configuration` (78) for invalid syntax.
    public static func list(_ text: String) throws(ClairoError) -> [Self] {
        var list: [Self] = []
        for item in text.split(separator: ",", omittingEmptySubsequences: false) {
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let numbers = parts.count > 1 ? parts[1].split(separator: "+", omittingEmptySubsequences: false) : ["1"]
            guard let name = parts.first, !name.isEmpty, !name.contains(" "), (1...2).contains(numbers.count),
                let weight = Int(numbers[0]), (0...1000).contains(weight)
            else { throw unreadable(text) }
            var base: Int?
            if numbers.count > 1 {
                guard let number = Int(numbers[1]), (0...100_000).contains(number) else { throw unreadable(text) }
                base = number
            }
            list.append(Self(capacityProvider: String(name), weight: weight, base: base))
        }
        // ECS allows only one provider with a base, and needs a provider with a weight for the remaining tasks.
        guard list.count <= limit, list.contains(where: { $0.weight > 0 }), list.count(where: { $0.base != nil }) <= 1
        else { throw unreadable(text) }
        return list
    }

    private static func unreadable(_ text: String) -> ClairoError {
        .configuration(
            "ecs-capacity-provider is \(text.debugDescription), which is not a list of capacity providers",
            advice: "Use FARGATE, FARGATE_SPOT, or weights such as FARGATE=1,FARGATE_SPOT=4.")
    }
}
