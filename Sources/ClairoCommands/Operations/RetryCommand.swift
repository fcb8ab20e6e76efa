internal import ArgumentParser
internal import ClairoCore
internal import ClairoPipeline

/// `clairo retry`: takes up what failed.
struct RetryCommand: EnvironmentCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Take up the job of a video again that failed or was cancelled, or process it anew.",
        discussion: """
            Only what is missing is made; segments that are finished and whole in size stay. With --anew a new job \
            begins from the source, also where the last one succeeded; players find the old output until the new one is \
            ready, and clairo gc removes it.

              clairo retry 019ab2c4-…
              clairo retry --anew 019ab2c4-…
              clairo retry $(clairo status --state failed --json | jq -r '.videos[].id')
            """)

    @Argument(help: "Videos by their ids.") var videos: [String]

    @Flag(help: "Begin a new job from the source.") var anew = false

    @OptionGroup(title: "Services") var serviceOptions: ServiceOptions

    @OptionGroup(title: "Queue") var queueOptions: QueueOptions

    func run(_ environment: CommandEnvironment) async throws {
        let settings = try await serviceOptions.settings(environment, own: queueOptions.flags)
        let services = Services(settings, environment)
        let ids = try VideoArgument.ids(videos)
        try await services.withMetadata { metadata in
            let desk = try services.jobOperations(metadata)
            let failure = try await ForEachArgument.run(ids, environment) { id throws(ClairoError) in
                guard let job = try await desk.retry(id, anew: anew) else { throw refusal(of: id) }
                environment.output("\(id) is processed again: job \(job)\n")
            }
            if let failure { throw failure }
        }
    }

    private func refusal(of id: VideoID) -> ClairoError {
        anew
            ? .usage("Video \(id) is being processed", advice: "clairo cancel stops that.")
            : .usage(
                "The last job of video \(id) neither failed nor was cancelled", advice: "--anew begins another.")
    }
}
