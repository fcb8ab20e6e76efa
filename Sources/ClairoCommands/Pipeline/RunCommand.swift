internal import ArgumentParser
internal import ClairoCore
internal import ClairoPipeline
internal import Foundation

/// `clairo run`: the whole pipeline in one process, for trying it out.
struct RunCommand: EnvironmentCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Upload, queue and process videos in one process, and wait until they are ready.",
        discussion: """
            Does what clairo upload, clairo produce and clairo consume do together, with nothing installed and nothing \
            configured; shows each step, and where the result is.

            Stopped with Ctrl-C, it goes on where it was when it is run again.

              clairo run holiday.mov
              clairo run --executor inline *.mp4
            """)

    @Argument(help: "Media files.", completion: .file())
    var files: [String]

    @Option(help: "A title for people.") var title: String?
    @Option(help: "The named settings to process it with.") var profile: String = "default"
    @Option(help: "high, normal or low.") var priority: Priority = .normal
    @Flag(help: "Print one JSON object for each video.") var json = false

    @OptionGroup(title: "Work") var work: WorkOptions
    @OptionGroup(title: "Services") var serviceOptions: ServiceOptions
    @OptionGroup(title: "Queue") var queueOptions: QueueOptions
    @OptionGroup(title: "Limits") var limitOptions: LimitOptions

    func run(_ environment: CommandEnvironment) async throws {
        let settings = try await serviceOptions.settings(environment, own: queueOptions.flags + work.flags)
        let stop = StopRequest()
        let services = Services(settings, environment, stop: stop, kafkaProperties: queueOptions.properties)
        let log = PipelineLog(milestones: false, environment)
        try await services.checkSandbox(work, log: log)
        try await Signals.stopping(stop) {
            try await services.withMetadata { metadata in
                // Its own worker is who has to know it.
                _ = try services.profiles().settings(of: profile)
                let registration = try services.registration(
                    metadata, limits: limitOptions.limits, sandbox: work.sandbox)
                let pipeline = try RunningPipeline(
                    services: services, metadata: metadata, work: work,
                    options: Consumer.Options(concurrency: work.slots), limits: limitOptions.limits, log: log)
                let drain = StopRequest()
                let running = Task {
                    do {
                        try await pipeline.run(relays: true, drain: drain, stop: stop)
                    } catch {
                        // There is nothing left to wait for; its own error is the one to tell.
                        stop.cancel()
                        throw error
                    }
                }
                let watch = VideoWatch(metadata: metadata, environment: environment, json: json)
                var failure: (any Error)?
                var ids: [VideoID] = []
                var sessions: [UploadID] = []
                let transfer = FileUpload(registration: registration, stop: stop)
                do {
                    for file in files {
                        do {
                            let outcome = try await upload(file, transfer: transfer, services: services)
                            ids.append(outcome.video.id)
                            sessions += [outcome.session].compactMap(\.self)
                        } catch let error as ClairoError where error.kind != .cancelled && files.count > 1 {
                            // One bad file does not keep the others from being processed.
                            _ = ClairoCommand.report(error, asJSON: json, environment)
                            failure = failure ?? AlreadyReported(exitCode: error.exitCode)
                        }
                    }
                    try await watch.untilFinal(ids, stop: stop)
                    // Until now the same file was the same video: a run that was stopped goes on with it.
                    for session in sessions { try await transfer.acknowledge(session) }
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

    private func upload(_ file: String, transfer: FileUpload, services: Services) async throws -> FileUpload.Outcome {
        let source = try await Source.open(file, services.environment, stop: services.stop)
        let request = try UploadRequest(
            originalName: (file as NSString).lastPathComponent, title: title, profile: profile, priority: priority)
        let outcome = try await transfer.run(
            source, request: request,
            fingerprint: { () throws(ClairoError) in
                try UploadCommand.fingerprint(of: file, source: source, request: request)
            }, dedupe: false, progress: { _ in })
        services.environment.error("\(Render.printable(file)) is video \(outcome.video.id)\n")
        return outcome
    }
}
