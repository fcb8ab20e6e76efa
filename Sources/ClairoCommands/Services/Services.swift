internal import ClairoCore
internal import ClairoMetadata
internal import Foundation

/// The composition root: makes the services that the settings name.
///
/// Everything that a command works with is made here, one topic in each file of this folder, and handed on as a port. What
/// needs no settings, such as a source that is named on the command line, is opened by `Stores`.
struct Services: Sendable {
    let settings: Settings
    let environment: CommandEnvironment
    let stop: StopRequest
    /// Properties of librdkafka as the command line gave them, `property=value`.
    let kafkaProperties: [String]
    /// Counts for Prometheus; nil where metrics are not served.
    let metrics: DaemonMetrics?
    /// Receives librdkafka's warnings; nil writes them to stderr as they are.
    let log: PipelineLog?

    init(
        _ settings: Settings, _ environment: CommandEnvironment, stop: StopRequest = StopRequest(),
        kafkaProperties: [String] = [], metrics: DaemonMetrics? = nil, log: PipelineLog? = nil
    ) {
        self.metrics = metrics
        self.log = log
        self.kafkaProperties = kafkaProperties
        self.settings = settings
        self.environment = environment
        self.stop = stop
    }

    var stores: Stores { Stores(environment, stop: stop, observe: metrics?.observeS3) }

    func rawStore() throws(ClairoError) -> any DurableStore {
        try store(.rawStore, as: .raw)
    }

    func outputStore() throws(ClairoError) -> any DurableStore {
        try store(.outputStore, as: .output)
    }

    private func store(_ key: Settings.Key, as role: DaemonMetrics.StoreRole) throws(ClairoError) -> any DurableStore {
        let store = try openStore(settings[key])
        return metrics?.metered(store, as: role) ?? store
    }

    /// A store without a role, such as a bucket that an event names.
    func openStore(_ url: String) throws(ClairoError) -> any DurableStore { try stores.open(url) }

    /// Runs `body` with the database and ends its connections afterwards.
    /// - Parameter updatesSchema: false to leave an SQLite file's tables as they are.
    func withMetadata<R: Sendable>(
        updatesSchema: Bool = true, _ body: (any MetadataStore) async throws -> R
    ) async throws -> R {
        let metadata = try await openMetadata(updatesSchema: updatesSchema)
        do {
            let result = try await body(metadata)
            await metadata.close()
            return result
        } catch {
            await metadata.close()
            throw error
        }
    }

    /// Opens the database. The caller closes it.
    func openMetadata(updatesSchema: Bool = true) async throws(ClairoError) -> any MetadataStore {
        if case .flag(let name) = settings.origin(.database), MetadataDatabase.containsPassword(settings[.database]) {
            let words =
                "others on this machine can see the password in \(name); give it in \(Settings.Key.databasePassword.environmentName)"
            log?.warn(words) ?? environment.error("warning: \(words)\n")
        }
        var variables = environment.variables
        for key in [Settings.Key.databasePassword, .databasePasswordFile] {
            variables[key.environmentName] = settings.value(key)
        }
        return try await MetadataDatabase.open(
            url: settings[.database], environment: variables, updatesSchema: updatesSchema,
            observe: metrics?.observeDatabase)
    }

    /// Names this process among all workers. The last part is random, as containers on one host network may share the others.
    static let processName =
        "\(ProcessInfo.processInfo.hostName):\(ProcessInfo.processInfo.processIdentifier)"
        + ":\(String(UInt16.random(in: .min ... .max), radix: 16))"
}
