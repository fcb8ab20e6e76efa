internal import ArgumentParser
internal import ClairoCore
internal import ClairoExecutors

/// Settings of `--executor ecs`.
struct ECSOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Cluster, by name or ARN.", valueName: "name"))
    var ecsCluster: String?

    @Option(
        help: ArgumentHelp(
            "Task definition: a family, FAMILY:REVISION or an ARN. Its image must contain Clairo; its role must reach the exchange and, without --ecs-output-role, the output store.",
            valueName: "name"))
    var ecsTaskDefinition: String?

    @Option(
        help: ArgumentHelp("Container in the task definition that runs Clairo (default: clairo).", valueName: "name"))
    var ecsContainer: String?

    @Option(help: ArgumentHelp("Subnets that tasks run in, comma-separated; required on Fargate.", valueName: "ids"))
    var ecsSubnets: String?

    @Option(
        help: ArgumentHelp(
            "Security groups of tasks, comma-separated (default: the VPC's default group).", valueName: "ids"))
    var ecsSecurityGroups: String?

    @Option(
        help: ArgumentHelp(
            "Capacity providers: FARGATE, FARGATE_SPOT, one of your own, or several with weights, such as FARGATE=1,FARGATE_SPOT=4 (default: FARGATE).",
            valueName: "providers"))
    var ecsCapacityProvider: String?

    @Option(
        help: ArgumentHelp(
            "Give tasks public IP addresses: true or false (default: false).", valueName: "yes"))
    var ecsAssignPublicIp: String?

    @Option(
        help: ArgumentHelp(
            "Where workers and their tasks exchange documents, s3://BUCKET/PREFIX (default: exchange/ in the output store).",
            valueName: "url"))
    var ecsExchange: String?

    @Option(
        help: ArgumentHelp(
            "Role that reaches the output store, by ARN. The worker assumes it for each task, limited to the output of the task's job (default: the role of the task definition, which then reaches the output of all jobs).",
            valueName: "arn"))
    var ecsOutputRole: String?

    var flags: [(Settings.Key, String?)] {
        [
            (.ecsCluster, ecsCluster), (.ecsTaskDefinition, ecsTaskDefinition), (.ecsContainer, ecsContainer),
            (.ecsSubnets, ecsSubnets), (.ecsSecurityGroups, ecsSecurityGroups),
            (.ecsCapacityProvider, ecsCapacityProvider), (.ecsAssignPublicIP, ecsAssignPublicIp),
            (.ecsExchange, ecsExchange), (.ecsOutputRole, ecsOutputRole),
        ]
    }
}
