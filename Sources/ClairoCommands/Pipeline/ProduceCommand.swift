internal import ArgumentParser
internal import ClairoCore
internal import ClairoMessaging
internal import ClairoPipeline
internal import Foundation
internal import Synchronization

/// `clairo produce`: relays the outbox to the queue, and imports existing objects.
struct ProduceCommand: EnvironmentCommand {
    static let configuration = CommandConfiguration(
        commandName: "produce",
        abstract: "Relay the outbox to the queue, or import existing objects.",
        discussion: """
            The relay sends each message of the outbox, in order, and removes it when the queue has accepted it. Several \
            relays may run at once. Consumers ignore duplicates. With --follow, one of all relays and workers also removes \
            obsolete data every few minutes, as clairo gc does by hand.

              clairo produce --once
              clairo produce --follow --queue kafka://broker1,broker2

            Objects that are in a bucket already are registered where they are, and queued:

              clairo produce --bucket incoming --key 2026/talk.mp4
              clairo produce --s3-event event.json
              aws s3api … | clairo produce --s3-event -

            As an AWS Lambda function that S3 triggers, the same binary runs with --lambda (custom runtime \
            provided.al2023, handler: clairo produce --lambda).
            """)

    @Flag(help: "Relay all messages that are due, and stop.")
    var once = false

    @Flag(help: "Relay messages until stopped.")
    var follow = false

    @Option(
        name: .customLong("s3-event"),
        help: ArgumentHelp(
            "Register and queue the objects that an S3 or MinIO event names; - reads standard input.", valueName: "file"
        ),
        completion: .file())
    var s3Event: String?

    @Option(help: ArgumentHelp("Register and queue one object of this bucket; needs --key.", valueName: "name"))
    var bucket: String?

    @Option(help: ArgumentHelp("Key of the object, not encoded.", valueName: "key"))
    var key: String?

    @Flag(help: "Run as an AWS Lambda function.")
    var lambda = false

    @Flag(help: "Print JSON.")
    var json = false

    @OptionGroup var sandboxOptions: IntakeSandboxOptions

    @OptionGroup(title: "Services") var serviceOptions: ServiceOptions

    @OptionGroup(title: "Queue") var queueOptions: QueueOptions

    @OptionGroup(title: "Upkeep") var upkeepOptions: UpkeepOptions

    @OptionGroup(title: "Monitoring") var daemonOptions: DaemonOptions

    @OptionGroup(title: "Limits") var limitOptions: LimitOptions

    func validate() throws {
        let ways = [once, follow, s3Event != nil, bucket != nil || key != nil, lambda].count { $0 }
        guard ways == 1 else {
            throw ValidationError("Give one of --once, --follow, --s3-event, --bucket with --key, and --lambda.")
        }
        guard (bucket == nil) == (key == nil) else { throw ValidationError("--bucket and --key go together.") }
        guard follow || daemonOptions.metricsListen == nil else {
            throw ValidationError("--metrics-listen goes with --follow.")
        }
    }

    func run(_ environment: CommandEnvironment) async throws {
        if lambda { return try await serveLambda(environment) }
        let settings = try await serviceOptions.settings(environment, own: queueOptions.flags + upkeepOptions.flags)
        let (metrics, log) = (daemonOptions.metrics(settings), daemonOptions.log(environment))
        let services = Services(
            settings, environment, kafkaProperties: queueOptions.properties, metrics: metrics,
            log: follow ? log : nil)
        if follow {
            let health = daemonOptions.health(metrics, log: log)
            return try await daemonOptions.running(metrics, health, log: log) {
                try await services.withMetadataOfDaemon(log: log) { try await relay(services, $0, log, health) }
            }
        }
        try await services.withMetadata { metadata in
            if once {
                let queue = try services.queue(metadata)
                let producer = try await queue.producer()
                try await queue.prepare(topics: Topic.all)
                let summary = try await services.relay(metadata, producer).drain()
                await producer.close()
                try report(summary, environment)
            } else {
                try await takeEvents(services, metadata)
            }
        }
    }

    private func relay(
        _ services: Services, _ metadata: any MetadataStore, _ log: PipelineLog, _ health: DaemonHealth
    ) async throws {
        let queue = try services.queue(metadata)
        let producer = try await queue.producer()
        let relay = try services.relay(metadata, producer)
        let upkeep = try services.upkeepSchedule(metadata, upkeepOptions, log: log)
        let status = "relaying the outbox to \(services.settings[.queue])"
        log.note(status)
        try await Signals.runningDaemon(
            finishesTasks: false, log: log, manager: services.environment.manager, status: status
        ) { drain, _ in
            try await queue.prepare(untilReached: drain, health)
            let metrics = services.metrics
            let task = Task {
                await relay.follow(wakeSignal: WakeSignal(), count: { metrics?.count($0) }, health: health)
            }
            drain.onCancel { task.cancel() }
            async let upkept: Void? = upkeep?.run(until: drain)
            await task.value
            drain.cancel()
            _ = await upkept
        }
        await producer.close()
    }

    // MARK: Events

    private func takeEvents(_ services: Services, _ metadata: any MetadataStore) async throws {
        let sandbox = sandboxOptions.sandbox
        try await services.checkSandbox(sandbox, log: PipelineLog(milestones: false, services.environment))
        let intake = try services.eventIntake(metadata, limits: limitOptions.limits, sandbox: sandbox)
        let summary: ObjectEventSummary
        if let bucket, let key {
            summary = try await intake.handle(bucket: bucket, key: key)
        } else {
            summary = try await intake.handle(
                event: try Self.document(s3Event ?? "-"), limit: LambdaRuntime.largestEvent)
        }
        if json {
            let data = try JSON.encode(summary, pretty: false)
            services.environment.output(String(decoding: data, as: UTF8.self) + "\n")
        } else {
            services.environment.output(Self.text(summary))
        }
        if !summary.refused.isEmpty || !summary.unreadable.isEmpty { throw AlreadyReported(exitCode: .badMedia) }
    }

    /// Runs as a Lambda function. Startup errors are reported to Lambda, for its log and metrics.
    private func serveLambda(_ environment: CommandEnvironment) async throws {
        let runtime = try LambdaRuntime(environment: environment.variables)
        let isStarted = Atomic<Bool>(false)
        do {
            let settings = try await serviceOptions.settings(environment, own: queueOptions.flags)
            let log = daemonOptions.log(environment)
            let services = Services(settings, environment, kafkaProperties: queueOptions.properties, log: log)
            let sandbox = sandboxOptions.sandbox
            try await services.checkSandbox(sandbox, log: log)
            try await services.withMetadata { metadata in
                let intake = try services.eventIntake(metadata, limits: limitOptions.limits, sandbox: sandbox)
                isStarted.store(true, ordering: .releasing)
                try await Signals.runningDaemon(
                    finishesTasks: false, log: log, manager: environment.manager, status: "serving events"
                ) { drain, _ in
                    try await runtime.run(until: drain) { event throws(ClairoError) in
                        // An object that is not a video must not fail the function, because Lambda would retry it.
                        let summary = try await intake.handle(
                            event: event.payload, limit: LambdaRuntime.largestEvent, traceID: event.traceID)
                        return (try? JSON.encode(summary, pretty: false)) ?? Data("{}".utf8)
                    }
                }
            }
        } catch let error as ClairoError {
            if !isStarted.load(ordering: .acquiring) { await runtime.reportInitFailure(error) }
            throw error
        }
    }

    private static func text(_ summary: ObjectEventSummary) -> String {
        var lines = summary.registered.map { "\($0.videoID) registered: \($0.url)" }
        lines += summary.known.map { "\($0.videoID) known already: \($0.url)" }
        lines += summary.ignored.map { "ignored \($0.object): \($0.reason)" }
        lines += summary.refused.map { "refused \($0.object): \($0.reason)" }
        lines += summary.unreadable.map { "unreadable record: \($0)" }
        if summary.ignoredRecords > 0 { lines.append("\(summary.ignoredRecords) records ignored") }
        return lines.isEmpty ? "Nothing to register.\n" : lines.map { Render.printable($0) + "\n" }.joined()
    }

    /// Reads an event of bounded size.
    private static func document(_ name: String) throws(ClairoError) -> Data {
        let limit = LambdaRuntime.largestEvent + 1
        // An empty standard input gives nil.
        let data =
            name == "-"
            ? try? FileHandle.standardInput.read(upToCount: limit) ?? Data() : SystemFile.contents(name, limit: limit)
        guard let data else {
            throw .noInput("The event \(name) cannot be read", advice: "Check the name.")
        }
        guard !data.isEmpty else { throw .badMedia("The event \(name) is empty") }
        guard data.count <= LambdaRuntime.largestEvent else {
            throw .badMedia("The event \(name) is larger than \(Render.bytes(Int64(LambdaRuntime.largestEvent)))")
        }
        return data
    }

    private func report(_ summary: Relay.Summary, _ environment: CommandEnvironment) throws {
        if json {
            environment.output(
                String(decoding: try JSON.encode(RelayReport(summary), pretty: false), as: UTF8.self) + "\n")
        } else {
            environment.output(
                "delivered \(summary.delivered), postponed \(summary.postponed), dead letters \(summary.deadLetters)\n")
        }
        guard summary.postponed > 0 else { return }
        let reason = summary.lastError.map { ": \($0.message)" } ?? ""
        let message = "\(summary.postponed) messages could not be delivered now\(reason)"
        if let error = summary.lastError, error.kind == .refused {
            throw ClairoError.refused(message, exitCode: error.exitCode, advice: error.advice)
        }
        throw ClairoError.temporary(message, advice: "They stay in the outbox; run the command again.")
    }
}

/// The output of `clairo produce --once --json`.
struct RelayReport: Codable {
    var schema = 1
    var delivered: Int
    var postponed: Int
    var deadLetters: Int

    init(_ summary: Relay.Summary) {
        (delivered, postponed, deadLetters) = (summary.delivered, summary.postponed, summary.deadLetters)
    }
}
