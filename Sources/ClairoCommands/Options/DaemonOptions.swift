internal import ArgumentParser
internal import ClairoAPI
internal import ClairoCore
internal import ClairoMetrics
internal import ClairoStorage

extension LogFormat: ExpressibleByArgument {}

/// The monitoring options of all daemons.
struct DaemonOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Serve this process's metrics for Prometheus at /metrics, and /healthz, on this address, without authentication.",
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

    /// Runs a daemon and serves its metrics. With a JSON log, the error that ends it is a JSON line too.
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
