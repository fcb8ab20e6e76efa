internal import ArgumentParser
internal import ClairoCore
internal import ClairoPipeline
internal import Foundation

/// `clairo run`: the whole pipeline in one process, for evaluation.
struct RunCommand: EnvironmentCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Upload, queue and process videos in one process, and wait until they are ready.",
        discussion: """
            Does what clairo upload, clairo produce and clairo consume do together. It needs no service and no \
            configuration, and prints where the result is. Run the same command again to continue one that was stopped \
            with Ctrl-C.

              clairo run holiday.mov
              clairo run --executor inline *.mp4
            """)

    @OptionGroup var options: UploadOptions
    @Flag(help: "Print one line of JSON for each video.") var json = false

    @OptionGroup(title: "Work") var work: WorkOptions
    @OptionGroup(title: "Services") var serviceOptions: ServiceOptions
    @OptionGroup(title: "Output in S3") var deliveryOptions: DeliveryOptions
    @OptionGroup(title: "Queue") var queueOptions: QueueOptions
    @OptionGroup(title: "Limits") var limitOptions: LimitOptions

    func run(_ environment: CommandEnvironment) async throws {
        let settings = try await serviceOptions.settings(
            environment, own: queueOptions.flags + deliveryOptions.flags + work.flags)
        let stop = StopRequest()
        let services = Services(settings, environment, stop: stop, kafkaProperties: queueOptions.properties)
        let log = PipelineLog(milestones: false, environment)
        try await services.checkSandbox(work, log: log)
        try await Signals.stopping(stop) {
            try await services.withMetadata { metadata in
                // The worker in this process needs the profile.
                _ = try services.profiles().settings(of: options.profile)
                let loop = UploadLoop(
                    options: options, services: services,
                    registration: try services.registration(
                        metadata, limits: limitOptions.limits, sandbox: work.sandbox),
                    json: json, continuesAfterErrors: true)
                let pipeline = try RunningPipeline(
                    services: services, metadata: metadata, work: work,
                    options: Consumer.Options(concurrency: work.slots, endsWhenRefused: true),
                    limits: limitOptions.limits, log: log, health: DaemonHealth(onError: log.warning(nil)))
                let drain = StopRequest()
                let running = Task {
                    do {
                        try await pipeline.run(relays: true, drain: drain, stop: stop)
                    } catch {
                        // Nothing is left to wait for. Report this error.
                        stop.cancel()
                        throw error
                    }
                }
                let watch = VideoWatch(metadata: metadata, environment: environment, json: json)
                var failure: (any Error)?
                var ids: [VideoID] = []
                var sessions: [UploadID?] = []
                do {
                    failure = try await loop.run { file, outcome in
                        environment.error("\(Render.printable(file)) is video \(outcome.video.id)\n")
                        ids.append(outcome.video.id)
                        sessions.append(outcome.session)
                    }
                    try await watch.untilFinal(ids, stop: stop)
                    // Until here a repeated run continues with the same video for the same file.
                    for session in sessions { try await loop.acknowledge(session) }
                } catch {
                    failure = failure ?? error
                }
                drain.cancel()
                try await running.value
                if !ids.isEmpty {
                    environment.output(try await watch.page(ids, filter: VideoFilter(), pretty: false).text)
                }
                if let failure { throw failure }
            }
        }
    }
}
