internal import ArgumentParser
internal import ClairoAPI
internal import ClairoCore
internal import ClairoMetrics
internal import ClairoStorage

extension LogFormat: ExpressibleByArgument {}

/// How a daemon lets itself be watched, the same for all of them.
struct DaemonOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Give this process's metrics to Prometheus: /metrics and /healthz on this address. It asks for no token.",
            valueName: "host:port"))
    var metricsListen: String?

    @Option(help: "How the log on stderr is written: text, or json with one object in a line.")
    var logFormat: LogFormat = .text

    func validate() throws {
        do {
            _ = try metricsListen.map { try ListenAddress($0) }
        } catch let error as ClairoError {
            throw ValidationError("--metrics-listen: \(error.description)")
        }
    }

    /// Nil where nobody is to be given them.
    func metrics(_ settings: Settings) -> DaemonMetrics? {
        if metricsListen == nil { return nil }
        let stores: [(String, Settings.Key)] = [("raw", .rawStore), ("output", .outputStore)]
        let folders = stores.compactMap { label, key in
            StoreURL.folder(settings[key]).map { DiskMetrics.Folder(label: label, path: $0) }
        }
        return DaemonMetrics(folders: [DiskMetrics.Folder(label: "data", path: settings.home)] + folders)
    }

    func log(_ environment: CommandEnvironment) -> PipelineLog { PipelineLog(logFormat, environment) }

    /// Runs a daemon while its metrics can be asked for. With a log of JSON, the error that ends it is such a line too.
    func running<R: Sendable>(
        _ metrics: DaemonMetrics?, log: PipelineLog, _ body: () async throws -> R
    ) async throws -> R {
        do {
            guard let metricsListen, let metrics else { return try await body() }
            let server = MetricsServer(
                try ListenAddress(metricsListen), contentType: Exposition.contentType, logger: log.quietLogger
            ) { metrics.page }
            return try await server.running(log: log, body)
        } catch let error as ClairoError where logFormat == .json {
            log.end(error)
            throw AlreadyReported(exitCode: error.exitCode)
        }
    }
}

extension MetricsServer {
    /// Runs `body` once connections are accepted, and ends the server after it.
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
