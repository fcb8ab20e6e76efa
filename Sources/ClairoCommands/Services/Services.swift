internal import ClairoCore
internal import ClairoMetadata
internal import ClairoStorage
internal import Foundation

/// The composition root: creates the services that the settings name.
///
/// It creates everything that a command uses, one topic per file of this folder, and passes it on as ports. `Stores`
/// opens everything that needs no settings, such as a source on the command line.
struct Services: Sendable {
    let settings: Settings
    let environment: CommandEnvironment
    /// Ends requests to stores.
    var stop: StopRequest
    /// The librdkafka properties from the command line, as `property=value`.
    let kafkaProperties: [String]
    /// The metrics for Prometheus; nil if they are not served.
    let metrics: DaemonMetrics?
    /// Receives librdkafka's warnings; nil writes them to stderr unchanged.
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
        for hint in settings.hints { log?.warn(hint) ?? environment.warn(hint) }
    }

    var stores: Stores { Stores(environment, stop: stop, observe: metrics?.observeS3) }

    func rawStore() throws(ClairoError) -> any DurableStore {
        try metered(openStore(settings[.rawStore]), as: .raw)
    }

    func outputStore() throws(ClairoError) -> any DurableStore {
        let delivery = try ObjectDelivery { settings.value($0) }
        return metered(try stores.open(settings[.outputStore], delivery: delivery), as: .output)
    }

    private func metered(_ store: any DurableStore, as role: DaemonMetrics.StoreRole) -> any DurableStore {
        metrics?.metered(store, as: role) ?? store
    }

    /// Opens a store without a role, such as a bucket that an event names.
    func openStore(_ url: String) throws(ClairoError) -> any DurableStore { try stores.open(url) }

    /// Runs `body` with the database and closes its connections afterwards.
    /// - Parameter updatesSchema: False to leave the tables of an SQLite file unchanged.
    func withMetadata<R: Sendable>(
        updatesSchema: Bool = true, _ body: (any MetadataStore) async throws -> R
    ) async throws -> R {
        try await using(try await openMetadata(updatesSchema: updatesSchema), body)
    }

    private func using<R: Sendable>(
        _ metadata: any MetadataStore, _ body: (any MetadataStore) async throws -> R
    ) async throws -> R {
        do {
            let result = try await body(metadata)
            await metadata.close()
            return result
        } catch {
            await metadata.close()
            throw error
        }
    }

    /// Runs a daemon with the database, after a check of the database.
    ///
    /// A schema, a user or rights that are wrong now are taken for wrong settings and end the daemon. An unreachable server
    /// and a full disk are waited for, and so is everything after the start. The check only reads, because the database may
    /// be read-only during a failover.
    func withMetadataOfDaemon<R: Sendable>(
        log: PipelineLog, _ body: (any MetadataStore) async throws -> R
    ) async throws -> R {
        func unlessAway<S>(_ step: () async throws(ClairoError) -> S) async throws(ClairoError) -> S? {
            do throws(ClairoError) {
                return try await step()
            } catch  where [.transient, .capacity].contains(error.kind) {
                log.warn(error)
                return nil
            }
        }
        while true {
            // An SQLite file is opened here, and its disk may be full. Connections to a server are opened when needed.
            if let metadata = try await unlessAway({ () throws(ClairoError) in try await openMetadata() }) {
                return try await using(metadata) { metadata in
                    _ = try await unlessAway { () throws(ClairoError) in
                        try await metadata.videos(VideoFilter(limit: 1))
                    }
                    return try await body(metadata)
                }
            }
            try await Task.sleep(for: .seconds(5))
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
            observe: metrics?.observeDatabase,
            report: { [log, environment] error in log?.warn(error) ?? environment.error("warning: \(error)\n") })
    }

    /// A unique name of this process among all workers. The last part is random, because containers on a host network
    /// may share the others.
    static let processName =
        "\(ProcessInfo.processInfo.hostName):\(ProcessInfo.processInfo.processIdentifier)"
        + ":\(String(UInt16.random(in: .min ... .max), radix: 16))"
}
