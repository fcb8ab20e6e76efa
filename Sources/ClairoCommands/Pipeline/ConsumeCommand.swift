internal import ArgumentParser
internal import ClairoCore
internal import ClairoPipeline
internal import Foundation

/// `clairo consume`: the worker.
struct ConsumeCommand: EnvironmentCommand {
    static let configuration = CommandConfiguration(
        commandName: "consume",
        abstract: "Work on queued videos: plan, transcode, finish.",
        discussion: """
            Takes in what was uploaded, cuts each job into tasks, and works on tasks, its own jobs' or others', until it is \
            stopped. Any number of consumers on any number of machines share the work; they need the same stores, \
            database and queue. A consumer that dies is missed by nobody: its tasks are taken over half a minute later.

              clairo consume
              clairo consume --queue kafka://broker1,broker2 --concurrency 4
              clairo consume --stages plan
              clairo consume --until-idle

            With the queue local: it sends what is in the outbox by itself; with Kafka clairo produce does that.

            SIGTERM and Ctrl-C: no task is begun any more, those that do not end within twelve seconds are handed back, \
            and the process ends; with --drain, or on SIGUSR1, it finishes its tasks however long they take. A second \
            signal ends it at once.
            """)

    @Option(
        help:
            "What to do, of plan (take in uploads, plan jobs), work (chunks, sound) and finish (playlists, publishing)."
    )
    var stages: String = "plan,work,finish"

    @Flag(help: "Stop after one task, and wait for it where there is none yet.")
    var once = false

    @Flag(help: "Stop when nothing is left to do: no upload to take in, no task, whoever works on it.")
    var untilIdle = false

    @Flag(help: "On SIGTERM, finish the tasks that are begun instead of handing them back.")
    var drain = false

    @OptionGroup(title: "Work") var work: WorkOptions

    @OptionGroup(title: "Services") var serviceOptions: ServiceOptions

    @OptionGroup(title: "Queue") var queueOptions: QueueOptions

    @OptionGroup(title: "Monitoring") var daemonOptions: DaemonOptions

    @OptionGroup(title: "Limits") var limitOptions: LimitOptions

    func validate() throws { _ = try kinds() }

    private func kinds() throws -> Set<WorkTask.Kind> {
        var kinds: Set<WorkTask.Kind> = []
        for stage in stages.split(separator: ",", omittingEmptySubsequences: false) {
            switch stage {
            case "plan": kinds.insert(.plan)
            case "work": kinds.formUnion([.chunk, .audio])
            case "finish": kinds.insert(.finish)
            default: throw ValidationError("--stages: \"\(stage)\" is none of plan, work and finish.")
            }
        }
        return kinds
    }

    func run(_ environment: CommandEnvironment) async throws {
        let settings = try await serviceOptions.settings(environment, own: queueOptions.flags + work.flags)
        let stop = StopRequest()
        let (metrics, log) = (daemonOptions.metrics(settings), daemonOptions.log(environment))
        let services = Services(
            settings, environment, stop: stop, kafkaProperties: queueOptions.properties, metrics: metrics, log: log)
        let slots = once ? 1 : work.slots
        let options = Consumer.Options(
            kinds: try kinds(), concurrency: slots, once: once, untilIdle: untilIdle, relays: services.hasLocalQueue)
        try await services.checkSandbox(work, log: log)
        try await daemonOptions.running(metrics, log: log) {
            try await services.withMetadata { metadata in
                let pipeline = try RunningPipeline(
                    services: services, metadata: metadata, work: work, options: options, limits: limitOptions.limits,
                    log: log)
                let status =
                    "consuming \(stages) from \(settings[.queue]), \(slots) \(slots == 1 ? "task" : "tasks") at once"
                try await DaemonSignals.running(
                    finishesTasks: drain, log: log, manager: environment.manager, status: status, stop: stop
                ) { draining, stop in
                    log.note(status)
                    try await pipeline.run(relays: services.hasLocalQueue, drain: draining, stop: stop)
                }
            }
        }
    }
}
