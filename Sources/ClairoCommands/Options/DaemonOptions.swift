internal import ArgumentParser
internal import ClairoAPI
internal import ClairoCore
internal import ClairoMetrics
internal import ClairoPipeline
internal import ClairoStorage

extension LogFormat: ExpressibleByArgument {}

/// The monitoring options of all daemons.
struct DaemonOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Serve this process's metrics for Prometheus at /metrics, /healthz and /readyz, on this address, without authentication.",
            valueName: "host:port"))
    var metricsListen: String?

    @Option(help: "Format of the log on stderr: text, or json for one object per line.")
    var logFormat: LogFormat = .text

    func validate() throws {
        do {
            _ = try metricsListen.map { try ListenAddress($0) }
        } catch let error as ClairoError {
            throw ValidationError("--metrics-listen: \(error.description)")
        }
    }

    /// The metrics; nil if they are not served.
    func metrics(_ settings: Settings) -> DaemonMetrics? {
        if metricsListen == nil { return nil }
        let stores: [(String, Settings.Key)] = [("raw", .rawStore), ("output", .outputStore)]
        let folders = stores.compactMap { label, key in
            StoreURL.folder(settings[key]).map { DiskMetrics.Folder(label: label, path: $0) }
        }
        return DaemonMetrics(folders: [DiskMetrics.Folder(label: "data", path: settings.home)] + folders)
    }

    func log(_ environment: CommandEnvironment) -> PipelineLog { PipelineLog(logFormat, environment) }

    /// The health of a daemon's loops, which its log and its metrics show.
    func health(_ metrics: DaemonMetrics?, log: PipelineLog) -> DaemonHealth {
        let health = DaemonHealth(onError: log.warning(metrics), onRecovery: { log.noteRecovery(of: $0) })
        metrics?.watch(health)
        return health
    }

    /// Runs a daemon and serves its metrics. With a JSON log, the error that ends it is a JSON line too.
    /// - Parameter health: Determines `/readyz`; nil if another server of the daemon has that page.
    func running<R: Sendable>(
        _ metrics: DaemonMetrics?, _ health: DaemonHealth? = nil, log: PipelineLog, _ body: () async throws -> R
    ) async throws -> R {
        do {
            guard let metricsListen, let metrics else { return try await body() }
            var problems: (@Sendable () async -> [String])?
            if let health { problems = { health.problems } }
            let server = MetricsServer(
                try ListenAddress(metricsListen), contentType: Exposition.contentType, logger: log.quietLogger,
                problems: problems
            ) { metrics.page }
            return try await server.running(log: log, body)
        } catch let error as ClairoError where logFormat == .json {
            log.end(error)
            throw AlreadyReported(exitCode: error.exitCode)
        }
    }
}

extension DaemonHealth {
    /// The blocked activities, a line each.
    fileprivate var problems: [String] {
        blockages.sorted { $0.key.rawValue < $1.key.rawValue }
            .map { "\($0.rawValue): \($1.kind.rawValue): \(Render.printable($1.message))" }
    }
}

extension MetricsServer {
    /// Runs `body` once the server accepts connections, and stops the server afterwards.
    func running<R: Sendable>(log: PipelineLog, _ body: () async throws -> R) async throws -> R {
        let (listening, tell) = AsyncThrowingStream<ListenAddress, any Error>.makeStream()
        let server = Task {
            do {
                try await run { tell.yield($0) }
                tell.finish()
            } catch {
                tell.finish(throwing: error)
            }
        }
        defer { server.cancel() }
        for try await address in listening {
            log.note("metrics on http://\(address)/metrics")
            break
        }
        let result = try await body()
        server.cancel()
        await server.value
        return result
    }
}
