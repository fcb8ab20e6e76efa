internal import ArgumentParser
internal import ClairoCore
internal import ClairoPipeline
internal import Foundation

/// `clairo status`: shows videos and their jobs.
struct StatusCommand: EnvironmentCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show videos and their jobs.",
        discussion: """
            Without arguments, shows the newest videos as a table. With one or more videos, shows for each the source, \
            jobs, tasks and their progress, renditions with their URLs, and errors.

              clairo status
              clairo status --state failed --limit 20
              clairo status 01935f3e-5c8e-7a44-9a53-0d4b6c1f2e77 --watch
              clairo status --json
            """)

    @Argument(help: ArgumentHelp("Ids of videos (default: the newest videos).", valueName: "video"))
    var videos: [String] = []

    @Option(help: "Show only videos in this state: \(Video.State.allCases.map(\.rawValue).joined(separator: ", ")).")
    var state: Video.State?

    @Option(help: ArgumentHelp("Largest number of videos to show.", valueName: "count"))
    var limit: Int = 50

    @Option(help: ArgumentHelp("Show only videos older than this one, to continue after a page.", valueName: "video"))
    var before: String?

    @Flag(help: "Show changes as they happen, until the named videos are ready, failed or cancelled.")
    var watch = false

    @Flag(
        help:
            "Print JSON: one object, one line for each of several videos, or with --watch one line for each change."
    )
    var json = false

    @OptionGroup(title: "Services") var serviceOptions: ServiceOptions

    func validate() throws {
        guard (1...10_000).contains(limit) else { throw ValidationError("--limit must be from 1 to 10000.") }
        guard videos.isEmpty || (state == nil && before == nil) else {
            throw ValidationError("--state and --before select from all videos; leave out the ids.")
        }
    }

    func run(_ environment: CommandEnvironment) async throws {
        let ids = try videos.map(Self.id)
        let filter = VideoFilter(state: state, before: try before.map(Self.id), limit: limit)
        let stop = StopRequest()
        let services = Services(
            try await serviceOptions.settings(environment), environment, stop: stop)
        try await Signals.stopping(stop, canContinue: false) {
            try await services.withMetadata { metadata in
                let watcher = VideoWatch(metadata: metadata, environment: environment, json: json)
                guard !watch else {
                    try await watcher.follow(ids, filter: filter, stop: stop)
                    return
                }
                environment.output(try await watcher.page(ids, filter: filter, pretty: ids.count < 2).text)
            }
        }
    }

    private static func id(_ text: String) throws(ClairoError) -> VideoID {
        guard let id = VideoID(text) else {
            throw .usage(
                "\"\(text)\" is not the id of a video", advice: "clairo status lists the videos with their ids.")
        }
        return id
    }
}
