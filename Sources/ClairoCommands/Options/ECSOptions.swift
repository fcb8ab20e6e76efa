internal import ArgumentParser
internal import ClairoCore
internal import ClairoExecutors

/// Where on Amazon ECS tasks run, for `--executor ecs`.
struct ECSOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The cluster, by name or ARN.", valueName: "name"))
    var ecsCluster: String?

    @Option(
        help: ArgumentHelp(
            "The task definition: a family, FAMILY:REVISION or an ARN. Its image is Clairo's, its role reaches the output store and the exchange.",
            valueName: "name"))
    var ecsTaskDefinition: String?

    @Option(help: ArgumentHelp("The container in it that runs Clairo; clairo without it.", valueName: "name"))
    var ecsContainer: String?

    @Option(help: ArgumentHelp("Subnets that tasks run in, comma-separated; Fargate needs them.", valueName: "ids"))
    var ecsSubnets: String?

    @Option(
        help: ArgumentHelp("Security groups of tasks, comma-separated; the VPC's own without them.", valueName: "ids"))
    var ecsSecurityGroups: String?

    @Option(
        help: ArgumentHelp(
            "Who gives machines: FARGATE, FARGATE_SPOT, a capacity provider of yours, or several with weights, FARGATE=1,FARGATE_SPOT=4. Fargate without it.",
            valueName: "providers"))
    var ecsCapacityProvider: String?

    @Option(
        help: ArgumentHelp(
            "Whether tasks get public addresses: true or false, which it is without it.", valueName: "yes"))
    var ecsAssignPublicIp: String?

    @Option(
        help: ArgumentHelp(
            "Where workers and their tasks exchange documents, s3://BUCKET/PREFIX; exchange/ in the output store without it.",
            valueName: "url"))
    var ecsExchange: String?

    var flags: [(Settings.Key, String?)] {
        [
            (.ecsCluster, ecsCluster), (.ecsTaskDefinition, ecsTaskDefinition), (.ecsContainer, ecsContainer),
            (.ecsSubnets, ecsSubnets), (.ecsSecurityGroups, ecsSecurityGroups),
            (.ecsCapacityProvider, ecsCapacityProvider), (.ecsAssignPublicIP, ecsAssignPublicIp),
            (.ecsExchange, ecsExchange),
        ]
    }
}
