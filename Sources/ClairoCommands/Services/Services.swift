internal import ClairoCore
internal import ClairoExecutors
internal import ClairoMedia
internal import ClairoMetadata
internal import ClairoPipeline
internal import ClairoStorage
internal import Foundation

/// The composition root: turns settings into the services that they name.
struct Services: Sendable {
    let settings: Settings
    let environment: CommandEnvironment
    let stop: StopRequest
    /// Properties of librdkafka as the command line gave them, `property=value`.
    let kafkaProperties: [String]
    /// What counts for Prometheus; nil where nobody asks.
    let metrics: DaemonMetrics?
    /// Where librdkafka's warnings go; nil for stderr as they are.
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

    func rawStore() throws(ClairoError) -> any ObjectStore {
        try store(.rawStore, as: .raw)
    }

    func outputStore() throws(ClairoError) -> any ObjectStore {
        try store(.outputStore, as: .output)
    }

    private func store(_ key: Settings.Key, as role: DaemonMetrics.StoreRole) throws(ClairoError) -> any ObjectStore {
        let store = try openStore(settings[key])
        return metrics?.metered(store, as: role) ?? store
    }

    /// A store without a role, such as somebody else's bucket.
    func openStore(_ url: String) throws(ClairoError) -> any ObjectStore {
        try StoreURL.open(
            url, environment: environment.variables, stop: stop,
            observe: metrics?.observeS3)
    }

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

    /// Opens the database, for whoever closes it.
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

    func registration(
        _ metadata: any MetadataStore, limits: InputLimits, sandbox: SandboxMode = .auto
    ) throws(ClairoError) -> UploadRegistration {
        UploadRegistration(
            store: try rawStore(), metadata: metadata, prober: try prober(limits, sandbox: sandbox))
    }
}
