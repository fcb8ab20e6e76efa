internal import ArgumentParser
internal import ClairoAPI
internal import ClairoCore
internal import ClairoMetrics
internal import Foundation

/// `clairo serve-metrics`: serves the state of the whole pipeline for Prometheus.
struct ServeMetricsCommand: EnvironmentCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve-metrics",
        abstract: "Serve the state of the pipeline as Prometheus metrics.",
        discussion: """
            Reads jobs and tasks by state and age, the outbox and dead letters from the database, the lag and members of \
            consumer groups from Kafka, and tasks from Amazon ECS if a cluster is set. It changes nothing. One process is \
            enough for a pipeline. Each daemon serves its own metrics with --metrics-listen.

              clairo serve-metrics
              curl http://127.0.0.1:9464/metrics

            If a source is unavailable, clairo_scrape_success{source="..."} is 0, its metrics are missing, and /readyz answers \
            503 with the reason. A slow source is read in the background, and clairo_scrape_age_seconds is the age of its \
            metrics.

            With --bucket-usage, the objects and bytes of the raw and the output store are counted every hour in the \
            background. On S3 that takes one request for every 500 objects.
            """)

    @Option(help: ArgumentHelp("Address to listen on, without authentication.", valueName: "host:port"))
    var listen = "127.0.0.1:9464"

    @Flag(help: "Count the objects and bytes of the raw and the output store.")
    var bucketUsage = false

    @Option(help: ArgumentHelp("Seconds between two counts.", valueName: "seconds"))
    var bucketUsageInterval = 3600.0

    @Option(help: "Format of the log on stderr: text, or json for one object per line.")
    var logFormat: LogFormat = .text

    @OptionGroup(title: "Services") var serviceOptions: ServiceOptions

    @OptionGroup(title: "Queue") var queueOptions: QueueOptions

    @OptionGroup(title: "Amazon ECS") var ecsOptions: ECSOptions

    func validate() throws {
        do {
            _ = try ListenAddress(listen)
        } catch {
            throw ValidationError("--listen: \(error.description)")
        }
        guard bucketUsageInterval > 0 else { throw ValidationError("--bucket-usage-interval must be above zero.") }
    }

    func run(_ environment: CommandEnvironment) async throws {
        let log = PipelineLog(logFormat, environment)
        let settings = try await serviceOptions.settings(
            environment, own: queueOptions.flags + ecsOptions.flags)
        let services = Services(settings, environment, kafkaProperties: queueOptions.properties, log: log)
        let metrics = PipelineMetrics(
            open: { () throws(ClairoError) in try await services.openMetadata(updatesSchema: false) },
            kafka: try services.kafkaQueue(),
            stores: bucketUsage ? [(.raw, try services.rawStore()), (.output, try services.outputStore())] : [],
            usageInterval: .seconds(bucketUsageInterval), ecs: try services.ecsStatistics(), log: log)
        let server = MetricsServer(
            try ListenAddress(listen), contentType: Exposition.contentType, logger: log.quietLogger,
            problems: { await metrics.problems() }
        ) { await metrics.page() }
        // Opens connections before the first scrape.
        Task { _ = await metrics.page() }
        let counting = Task { await metrics.keepFresh() }
        defer { counting.cancel() }
        try await server.running(log: log) {
            try await Signals.runningDaemon(
                finishesTasks: false, log: log, manager: environment.manager, status: "serving metrics"
            ) { drain, _ in
                await withCheckedContinuation { continuation in
                    drain.onCancel { continuation.resume() }
                }
            }
        }
    }
}
