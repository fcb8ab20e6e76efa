internal import ArgumentParser
internal import ClairoCore
internal import ClairoPipeline

/// `clairo cancel`: stops what is queued or running.
struct CancelCommand: EnvironmentCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "Stop the processing of a video, queued or running.",
        discussion: """
            Workers notice within seconds. clairo retry takes it up again; clairo gc removes what was made.

              clairo cancel 019ab2c4-…
            """)

    @Argument(help: "Videos by their ids.") var videos: [String]

    @OptionGroup(title: "Services") var serviceOptions: ServiceOptions

    @OptionGroup(title: "Queue") var queueOptions: QueueOptions

    func run(_ environment: CommandEnvironment) async throws {
        let settings = try await serviceOptions.settings(environment, own: queueOptions.flags)
        let services = Services(settings, environment)
        let ids = try VideoArgument.ids(videos)
        try await services.withMetadata { metadata in
            let desk = try services.jobOperations(metadata)
            let failure = try await ForEachArgument.run(ids, environment) { id throws(ClairoError) in
                guard try await desk.cancel(id) != nil else {
                    throw .usage("There is nothing to stop for video \(id)")
                }
                environment.output("\(id) is cancelled\n")
            }
            if let failure { throw failure }
        }
    }
}
