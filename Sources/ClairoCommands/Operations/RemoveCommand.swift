internal import ArgumentParser
internal import ClairoCore
internal import ClairoPipeline
internal import Foundation

/// `clairo rm`: deletes videos.
struct RemoveCommand: EnvironmentCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm",
        abstract: "Delete videos: their sources, their outputs and their records.",
        discussion: """
            A video that is being processed is cancelled first. It is deleted for certain as soon as the command says so; \
            the removal of its bytes continues elsewhere if the command is interrupted. If workers held tasks of the \
            video, the command waits until none of them can write any more, up to a few minutes. A source that is in a \
            foreign bucket stays there.

              clairo rm 019ab2c4-…
              clairo rm --dry-run 019ab2c4-…
              clairo status --state failed --json | jq -r .videos[].id | xargs -r clairo rm
            """)

    @Argument(help: "Ids of the videos.") var videos: [String]

    @Flag(name: .customLong("no-wait"), help: "Leave the removal of the bytes to a daemon, or to clairo gc.")
    var noWait = false

    @Flag(help: "Only list the objects to remove.")
    var dryRun = false

    @OptionGroup(title: "Services") var serviceOptions: ServiceOptions

    @OptionGroup(title: "Queue") var queueOptions: QueueOptions

    func run(_ environment: CommandEnvironment) async throws {
        let ids = try VideoArgument.ids(videos)
        let stop = StopRequest()
        let settings = try await serviceOptions.settings(environment, own: queueOptions.flags)
        let services = Services(settings, environment, stop: stop)
        try await Signals.stopping(stop) {
            try await services.withMetadata { metadata in
                let failure = try await ForEachArgument.run(ids, environment) { id throws(ClairoError) in
                    if dryRun { return try await list(id, services, metadata) }
                    guard try await services.deletion(metadata).begin(id) != nil else {
                        guard try await metadata.deletion(of: id) == nil else {
                            return environment.output("\(id) was deleted before\n")
                        }
                        throw unknown(id)
                    }
                    if noWait { return environment.output("\(id) is being deleted\n") }
                    try await remove(id, services, metadata, stop)
                }
                if let failure { throw failure }
            }
        }
    }

    private func unknown(_ id: VideoID) -> ClairoError {
        .noInput("Video \(id) does not exist", advice: "clairo status lists the videos.")
    }

    private func list(_ id: VideoID, _ services: Services, _ metadata: any MetadataStore) async throws(ClairoError) {
        guard try await metadata.video(id) != nil else { throw unknown(id) }
        let environment = services.environment
        let stores: [any DurableStore] = [try services.rawStore(), try services.outputStore()]
        let keys = try await onDedicatedThread(name: "list") { () throws(ClairoError) in
            var keys: [ObjectKey] = []
            for store in stores { keys += try store.list(prefix: OutputLayout.folder(of: id)) }
            return keys
        }
        for key in keys { environment.output("\(Render.printable(key.rawValue))\n") }
        environment.output("would delete \(id) with \(keys.count) objects\n")
    }

    /// Removes the bytes of a video until it is gone. A daemon may do the same at the same time.
    private func remove(
        _ id: VideoID, _ services: Services, _ metadata: any MetadataStore, _ stop: StopRequest
    ) async throws(ClairoError) {
        let (environment, removal) = (services.environment, try services.removal(metadata))
        var removed = UpkeepReport()
        while let deletion = try await metadata.deletion(of: id), deletion.finishedAt == nil {
            removed += try await removal.advance(deletion, mayContinue: { () throws(ClairoError) in try stop.check() })
            if deletion.isQuiet { continue }
            let seconds = max(0, deletion.quietAt.seconds(since: .now))
            environment.error(
                "\(id): its bytes are removed; waiting \(Render.clock(seconds.rounded(.up))) until no worker can write any more\n"
            )
            try await wait(for: id, metadata, stop)
        }
        environment.output("\(id) is deleted: \(removed.objects) objects, \(Render.bytes(removed.bytes))\n")
    }

    /// Waits until a deletion is quiet, by the database's clock, or another process has completed it.
    private func wait(for id: VideoID, _ metadata: any MetadataStore, _ stop: StopRequest) async throws(ClairoError) {
        while let deletion = try await metadata.deletion(of: id), !deletion.isQuiet, deletion.finishedAt == nil {
            try stop.check()
            try? await Task.sleep(for: .seconds(1))
        }
        try stop.check()
    }
}
