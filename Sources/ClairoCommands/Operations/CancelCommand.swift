internal import ArgumentParser
internal import ClairoCore
internal import ClairoPipeline

/// `clairo cancel`: cancels queued and running jobs.
struct CancelCommand: EnvironmentCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "Cancel the processing of videos.",
        discussion: """
            Workers stop within seconds. clairo retry continues the job; clairo gc removes what it made.

              clairo cancel 019ab2c4-…
            """)

    @Argument(help: "Ids of the videos.") var videos: [String]

    @OptionGroup(title: "Services") var serviceOptions: ServiceOptions

    @OptionGroup(title: "Queue") var queueOptions: QueueOptions

    func run(_ environment: CommandEnvironment) async throws {
        let settings = try await serviceOptions.settings(environment, own: queueOptions.flags)
        try await ForEachArgument.runOnJobs(of: videos, Services(settings, environment)) {
            (operations, id) throws(ClairoError) in
            guard try await operations.cancel(id) != nil else { throw .usage("Video \(id) has no job to cancel") }
            environment.output("\(id) is cancelled\n")
        }
    }
}
