internal import ArgumentParser
internal import ClairoCore
internal import ClairoPipeline

/// `clairo retry`: continues failed jobs, or starts new ones.
struct RetryCommand: EnvironmentCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Retry failed or cancelled videos, or process videos again.",
        discussion: """
            Makes only what is missing; segments that are complete stay. With --anew a new job starts from the source, \
            even if the last one succeeded. Players get the old output until the new one is ready; clairo gc then removes \
            it.

              clairo retry 019ab2c4-…
              clairo retry --anew 019ab2c4-…
              clairo retry $(clairo status --state failed --json | jq -r '.videos[].id')
            """)

    @Argument(help: "Ids of the videos.") var videos: [String]

    @Flag(help: "Start a new job from the source.") var anew = false

    @OptionGroup(title: "Services") var serviceOptions: ServiceOptions

    @OptionGroup(title: "Queue") var queueOptions: QueueOptions

    func run(_ environment: CommandEnvironment) async throws {
        let settings = try await serviceOptions.settings(environment, own: queueOptions.flags)
        try await ForEachArgument.runOnJobs(of: videos, Services(settings, environment)) {
            (operations, id) throws(ClairoError) in
            guard let job = try await operations.retry(id, anew: anew) else { throw refusal(of: id) }
            environment.output("\(id) is processed again: job \(job)\n")
        }
    }

    private func refusal(of id: VideoID) -> ClairoError {
        anew
            ? .usage("Video \(id) is being processed", advice: "Use clairo cancel to stop that.")
            : .usage(
                "The last job of video \(id) neither failed nor was cancelled",
                advice: "Wait while it runs. Once the video is ready, --anew starts another job.")
    }
}
