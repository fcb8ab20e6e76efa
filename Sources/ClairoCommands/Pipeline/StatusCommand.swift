internal import ArgumentParser
internal import ClairoCore
internal import ClairoPipeline
internal import Foundation

/// `clairo status`: what has become of the videos.
struct StatusCommand: EnvironmentCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show videos, or one video whole.",
        discussion: """
            Without a video: the newest ones as a table. With one or more: the source, jobs, tasks and their progress, \
            renditions with their URLs, and errors.

              clairo status
              clairo status --state failed --limit 20
              clairo status 01935f3e-5c8e-7a44-9a53-0d4b6c1f2e77 --watch
              clairo status --json
            """)

    @Argument(help: ArgumentHelp("Ids of videos; the newest videos without one.", valueName: "video"))
    var videos: [String] = []

    @Option(help: "Only videos in this state: \(Video.State.allCases.map(\.rawValue).joined(separator: ", ")).")
    var state: Video.State?

    @Option(help: ArgumentHelp("Most videos that are shown.", valueName: "count"))
    var limit: Int = 50

    @Option(help: ArgumentHelp("Only videos older than this one, to go on after a page.", valueName: "video"))
    var before: String?

    @Flag(help: "Follow it live; ends when the named videos are ready, failed or cancelled.")
    var watch = false

    @Flag(
        help:
            "Print JSON: one object, for several videos one on a line each, with --watch one on a line for each change."
    )
    var json = false

    @OptionGroup(title: "Services") var serviceOptions: ServiceOptions

    func validate() throws {
        guard (1...10_000).contains(limit) else { throw ValidationError("--limit must be from 1 to 10000.") }
        guard videos.isEmpty || (state == nil && before == nil) else {
            throw ValidationError("--state and --before choose from all videos; leave out the ids.")
        }
    }

    func run(_ environment: CommandEnvironment) async throws {
        let ids = try videos.map(Self.id)
        let filter = VideoFilter(state: state, before: try before.map(Self.id), limit: limit)
        let stop = StopRequest()
        let services = Services(
            try await serviceOptions.settings(environment), environment, stop: stop)
        try await Signals.stopping(stop, works: false) {
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
