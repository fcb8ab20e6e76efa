internal import AWSClient
internal import AWSSigning
internal import ClairoCore
internal import ClairoExecutors
internal import ClairoMedia
internal import ClairoStorage
internal import Foundation

/// Tasks on Amazon ECS, for the worker.
extension Services {
    func ecsPlacement() throws(ClairoError) -> ECSPlacement {
        ECSPlacement(
            cluster: try needed(.ecsCluster), taskDefinition: try needed(.ecsTaskDefinition),
            container: settings[.ecsContainer], subnets: list(.ecsSubnets), securityGroups: list(.ecsSecurityGroups),
            assignsPublicIP: try flag(.ecsAssignPublicIP),
            capacityProviders: try settings.value(.ecsCapacityProvider).map { (text) throws(ClairoError) in
                try ECSPlacement.CapacityProvider.list(text)
            } ?? [])
    }

    private func needed(_ key: Settings.Key) throws(ClairoError) -> String {
        guard let value = settings.value(key) else {
            throw .configuration(
                "Tasks on ECS need \(key.meaning)", advice: "Set --\(key.rawValue) or \(key.environmentName).")
        }
        return value
    }

    private func list(_ key: Settings.Key) -> [String] {
        settings[key].split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }

    private func flag(_ key: Settings.Key) throws(ClairoError) -> Bool {
        switch settings[key].lowercased() {
        case "", "false", "no", "0", "disabled": false
        case "true", "yes", "1", "enabled": true
        default: throw .configuration("\(key.rawValue) is neither true nor false")
        }
    }

    private func ecsClient() throws(ClairoError) -> (ECSClient, region: String?) {
        let system = AWSSystem.here(environment.variables)
        return (try ECSClient(system, observe: metrics?.observeECS), (try? AWSSettings(system))?.region)
    }

    func ecsExecutor(
        sandbox: SandboxMode = .auto, limits: InputLimits = InputLimits()
    ) throws(ClairoError) -> ECSExecutor {
        let placement = try ecsPlacement()
        for key in [Settings.Key.outputStore, .rawStore] where !StoreURL.isS3(settings[key]) {
            throw .configuration(
                "Tasks on ECS need \(key.meaning) in S3, and \(key.rawValue) is \(MaskedURL.text(settings[key], hidesUser: true))",
                advice: "Set --\(key.rawValue) s3://BUCKET/PREFIX or \(key.environmentName).")
        }
        let (client, region) = try ecsClient()
        return ECSExecutor(
            client, placement: placement, exchange: try ecsExchange(), access: try ecsOutputAccess(),
            arguments: RunTaskCommand.arguments(limits) + ["--sandbox", sandbox.rawValue],
            environment: (region.map { ["AWS_REGION": $0] } ?? [:]).merging(deliveryVariables) { $1 })
    }

    /// The settings with which a task's container writes the output. It has no other settings of this worker.
    private var deliveryVariables: [String: String] {
        let given = ObjectDelivery.keys.filter { settings.origin($0) != .default }
        return Dictionary(uniqueKeysWithValues: given.map { ($0.environmentName, settings[$0]) })
    }

    /// Nil if the tasks' own role must reach the output store.
    private func ecsOutputAccess() throws(ClairoError) -> (client: STSClient, role: ECSOutputRole)? {
        guard let arn = settings.value(.ecsOutputRole) else { return nil }
        return (try STSClient(AWSSystem.here(environment.variables)), try ECSOutputRole(arn))
    }

    /// The store for documents between workers and tasks. `stop` does not cancel its requests, because stopping a task
    /// needs them.
    func ecsExchange() throws(ClairoError) -> any ExchangeStore {
        let url =
            settings.value(.ecsExchange)
            ?? settings[.outputStore] + (settings[.outputStore].hasSuffix("/") ? "exchange" : "/exchange")
        guard StoreURL.isS3(url) else {
            throw .configuration(
                "\(Settings.Key.ecsExchange.rawValue) is not in S3: \(MaskedURL.text(url, hidesUser: true))",
                advice: "Set it to s3://BUCKET/PREFIX.")
        }
        return try StoreURL.open(url, environment: environment.variables, observe: metrics?.observeS3)
    }

    /// Counts the tasks of the cluster; nil if none is set.
    func ecsStatistics() throws(ClairoError) -> (@Sendable () async throws(ClairoError) -> ECSTaskStatistics)? {
        guard settings.value(.ecsCluster) != nil else { return nil }
        let (placement, client) = (try ecsPlacement(), try ecsClient().0)
        return { () throws(ClairoError) in try await ECSTaskStatistics.take(client, placement: placement) }
    }
}
