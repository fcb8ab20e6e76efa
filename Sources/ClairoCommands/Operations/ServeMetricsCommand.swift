internal import ArgumentParser
internal import ClairoAPI
internal import ClairoCore
internal import ClairoMetrics
internal import Foundation

/// `clairo serve-metrics`: the whole pipeline for Prometheus.
struct ServeMetricsCommand: EnvironmentCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve-metrics",
        abstract: "Give Prometheus the state of the pipeline.",
        discussion: """
            Jobs and tasks by state and age, the outbox, dead letters, and with Kafka the lag and the members of the consumer \
            groups, and where an ECS cluster is set its tasks, out of the database, the brokers and ECS; it changes nothing there. One for a pipeline is enough. Each daemon \
            gives its own numbers with --metrics-listen.

              clairo serve-metrics
              curl http://127.0.0.1:9464/metrics

            Where a source cannot be asked, clairo_scrape_success{source="…"} is 0 and its numbers are missing; the rest of \
            the page stands. A source that is slow is asked again behind the page, and clairo_scrape_age_seconds says how \
            old its numbers are.

            With --bucket-usage the objects and bytes of the raw and the output store are counted every hour or so, behind \
            the pages: on S3 that is a request for each 500 objects.
            """)

    @Option(help: ArgumentHelp("The address to listen on. It asks for no token.", valueName: "host:port"))
    var listen = "127.0.0.1:9464"

    @Flag(help: "Also count what is in the raw and the output store.")
    var bucketUsage = false

    @Option(help: ArgumentHelp("Seconds between two counts of --bucket-usage.", valueName: "seconds"))
    var bucketUsageInterval = 3600.0

    @Option(help: "How the log on stderr is written: text, or json with one object in a line.")
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
            usageInterval: .seconds(bucketUsageInterval), ecs: try services.ecsCensus(), log: log)
        let server = MetricsServer(
            try ListenAddress(listen), contentType: Exposition.contentType, logger: log.quietLogger
        ) { await metrics.page() }
        // Connections are made before the first page is asked for.
        Task { _ = await metrics.page() }
        let counting = Task { await metrics.keepFresh() }
        defer { counting.cancel() }
        try await server.running(log: log) {
            try await DaemonSignals.running(
                finishesTasks: false, log: log, manager: environment.manager, status: "serving metrics"
            ) { drain, _ in
                await withCheckedContinuation { continuation in
                    drain.onCancel { continuation.resume() }
                }
            }
        }
    }
}
