internal import ArgumentParser
internal import ClairoCore
internal import ClairoPipeline
internal import Foundation

/// `clairo consume`: the worker.
struct ConsumeCommand: EnvironmentCommand {
    static let configuration = CommandConfiguration(
        commandName: "consume",
        abstract: "Process queued videos: plan, transcode, finish.",
        discussion: """
            A worker. It plans a job for each uploaded video, splits it into tasks, and runs tasks of all jobs until it is \
            stopped. Any number of workers on any number of machines share the work if they have the same stores, \
            database and queue. If a worker dies, the others take over its tasks half a minute later.

              clairo consume
              clairo consume --queue kafka://broker1,broker2 --concurrency 4
              clairo consume --kinds plan
              clairo consume --until-idle

            With the queue local: a worker also relays the outbox. With Kafka, clairo produce does that.

            One of all workers and relays removes obsolete data every few minutes, as clairo gc does by hand; not with \
            --once, --until-idle or --no-gc.

            On SIGTERM and Ctrl-C a worker starts no more tasks. It releases the tasks that do not end within twelve \
            seconds, and exits. With --drain, or on SIGUSR1, it finishes its tasks first, however long they take. A second \
            signal ends it at once.
            """)

    @Option(
        help: ArgumentHelp(
            "Kinds of tasks to run: \(Self.kindNames) (plan also starts the jobs of uploaded videos; work means all but plan and finish; default: all).",
            valueName: "list"))
    var kinds: String?

    /// The name of `--kinds` in earlier releases.
    @Option(help: .hidden) var stages: String?

    @Flag(help: "Stop after one task; wait for one if there is none.")
    var once = false

    @Flag(help: "Stop when nothing is left to do: no upload to plan and no unfinished task, here or on other workers.")
    var untilIdle = false

    @Flag(help: "On SIGTERM, finish running tasks instead of releasing them.")
    var drain = false

    @OptionGroup(title: "Work") var work: WorkOptions

    @OptionGroup(title: "Services") var serviceOptions: ServiceOptions

    @OptionGroup(title: "Output in S3") var deliveryOptions: DeliveryOptions

    @OptionGroup(title: "Queue") var queueOptions: QueueOptions

    @OptionGroup(title: "Upkeep") var upkeepOptions: UpkeepOptions

    @OptionGroup(title: "Monitoring") var daemonOptions: DaemonOptions

    @OptionGroup(title: "Limits") var limitOptions: LimitOptions

    func validate() throws { _ = try taskKinds() }

    private static let kindNames = WorkTask.Kind.allCases.map(\.rawValue).joined(separator: ", ")

    private func taskKinds() throws -> Set<WorkTask.Kind> {
        guard let list = kinds ?? stages else { return Set(WorkTask.Kind.allCases) }
        var chosen: Set<WorkTask.Kind> = []
        for name in list.split(separator: ",", omittingEmptySubsequences: false) {
            if name == "work" {
                chosen.formUnion(WorkTask.Kind.allCases.filter(\.makesSegments))
            } else if let kind = WorkTask.Kind(rawValue: String(name)) {
                chosen.insert(kind)
            } else {
                throw ValidationError("--kinds: \"\(name)\" is none of \(Self.kindNames) and work.")
            }
        }
        return chosen
    }

    func run(_ environment: CommandEnvironment) async throws {
        let settings = try await serviceOptions.settings(
            environment, own: queueOptions.flags + deliveryOptions.flags + upkeepOptions.flags + work.flags)
        let stop = StopRequest()
        let (metrics, log) = (daemonOptions.metrics(settings), daemonOptions.log(environment))
        let health = daemonOptions.health(metrics, log: log)
        let services = Services(
            settings, environment, stop: stop, kafkaProperties: queueOptions.properties, metrics: metrics, log: log)
        let slots = once ? 1 : work.slots
        let options = Consumer.Options(
            kinds: try taskKinds(), concurrency: slots, once: once, untilIdle: untilIdle, relays: services.hasLocalQueue
        )
        try await services.checkSandbox(work, log: log)
        try await daemonOptions.running(metrics, health, log: log) {
            try await services.withMetadataOfDaemon(log: log) { metadata in
                // Its settings are checked even if it is not used.
                let upkeep = try services.upkeepSchedule(metadata, upkeepOptions, log: log)
                let pipeline = try RunningPipeline(
                    services: services, metadata: metadata, work: work, options: options, limits: limitOptions.limits,
                    upkeep: once || untilIdle ? nil : upkeep, log: log, health: health)
                let status =
                    "consuming \(kinds ?? stages ?? "all kinds") from \(settings[.queue]), \(slots) \(slots == 1 ? "task" : "tasks") at once"
                try await Signals.runningDaemon(
                    finishesTasks: drain, log: log, manager: environment.manager, status: status, stop: stop
                ) { draining, stop in
                    log.note(status)
                    try await pipeline.run(relays: services.hasLocalQueue, drain: draining, stop: stop)
                }
            }
        }
    }
}
