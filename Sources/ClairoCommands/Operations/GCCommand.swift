internal import ArgumentParser
internal import ClairoCore
internal import ClairoPipeline
internal import Foundation

/// `clairo gc`: removes obsolete data now.
struct GCCommand: EnvironmentCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc",
        abstract: "Remove obsolete data now: unneeded output, abandoned uploads, deleted videos, old rows.",
        discussion: """
            clairo consume and clairo produce --follow do this by themselves, one process at a time; this command does it \
            at once. It takes what the database names: deleted videos, failed and cancelled jobs, replaced outputs, \
            repeated attempts, abandoned uploads and old rows. In stores that are folders it also takes partial files \
            of writers that were killed. Sources, and objects that a running job may need, are kept. Once the segments of a failed or cancelled job are removed, \
            clairo retry starts another job.

            --older-than also applies to uploads that were interrupted and could still be continued. With 0s, \
            uploads that are running end too, and attempts lose the files that they are writing, and fail.

              clairo gc --dry-run
              clairo gc --older-than 1d
              clairo gc --full
            """)

    @Option(
        help: ArgumentHelp(
            "Keep what is younger than this, such as 30m, 12h, 7d or 1w (default: the setting gc-older-than, 7d).",
            valueName: "age"))
    var olderThan: String?

    @Flag(help: "Also read the whole output store, and remove objects of jobs that the database does not know.")
    var full = false

    @Flag(
        help:
            "Like --full, and also remove published outputs that the database does not know. Make sure that it is the right database."
    )
    var unknown = false

    @Flag(help: "Only list the objects to remove; rows are not counted.")
    var dryRun = false

    @Flag(help: "Print JSON.")
    var json = false

    @OptionGroup(title: "Services") var serviceOptions: ServiceOptions

    func run(_ environment: CommandEnvironment) async throws {
        let stop = StopRequest()
        let services = Services(try await serviceOptions.settings(environment), environment, stop: stop)
        var options = try services.upkeepOptions()
        if let olderThan {
            guard let seconds = Age.seconds(olderThan) else {
                throw ClairoError.usage("--older-than \(olderThan) is not an age", advice: Age.advice)
            }
            (options.olderThanSeconds, options.idleUploadSeconds) = (seconds, seconds)
        }
        (options.isFull, options.removesUnknown, options.isDryRun) = (full || unknown, unknown, dryRun)
        let chosen = options
        try await Signals.stopping(stop) {
            try await services.withMetadata { metadata in
                let (report, failure) = try await remove(services, metadata, chosen, stop)
                let text =
                    json
                    ? String(decoding: try JSON.encode(GCReport(report: report), pretty: false), as: UTF8.self)
                    : Self.text(report, isDryRun: dryRun)
                environment.output(text + "\n")
                // The other parts of upkeep were done.
                if let failure { throw AlreadyReported(exitCode: failure.exitCode) }
            }
        }
    }

    private func remove(
        _ services: Services, _ metadata: any MetadataStore, _ options: Upkeep.Options, _ stop: StopRequest
    ) async throws -> (report: UpkeepReport, failure: ClairoError?) {
        let (environment, listsObjects) = (services.environment, dryRun && !json)
        let upkeep = try services.upkeep(
            metadata, options: options,
            observer: Upkeep.Observer(
                onRemove: { if listsObjects { environment.output("\(Render.printable($0.rawValue))\n") } },
                onDeadLetter: { environment.error("removed the dead letter \($0.id) of \($0.topic): too many\n") },
                onError: { _ = ClairoCommand.report($0, asJSON: false, environment) }))
        if dryRun { return try await upkeep.run { () throws(ClairoError) in try stop.check() } }
        let lease = try await takeOver(metadata, environment, stop)
        do throws(ClairoError) {
            let result = try await upkeep.run { () throws(ClairoError) in try lease.check() }
            try await lease.end(succeeded: result.failure == nil, dueAfterSeconds: 60)
            return result
        } catch {
            try? await lease.end(succeeded: false, dueAfterSeconds: 0)
            throw error
        }
    }

    /// Waits until no other process removes obsolete data.
    private func takeOver(
        _ metadata: any MetadataStore, _ environment: CommandEnvironment, _ stop: StopRequest
    ) async throws -> DutyLease {
        var isTold = false
        while true {
            let lease = try await DutyLease.take(
                .upkeep, metadata, owner: Services.processName, evenIfNotDue: true, stop: stop)
            if let lease { return lease }
            if !isTold {
                let owner = try await metadata.dutyStatus(.upkeep)?.owner ?? "another process"
                environment.error("waiting for \(Render.printable(owner)), which removes obsolete data\n")
                isTold = true
            }
            try stop.check()
            try await Task.sleep(for: .seconds(1))
        }
    }

    static func text(_ report: UpkeepReport, isDryRun: Bool) -> String {
        let bytes = Render.bytes(report.bytes)
        let found =
            "\(report.objects) objects, \(report.uploads) abandoned uploads, \(report.partialFiles) partial files (\(bytes)), \(report.videos) deleted videos"
        return isDryRun
            ? "would remove \(found)" : "removed \(found), \(report.deadLetters) dead letters, \(report.rows) rows"
    }
}

/// The output of `clairo gc --json`.
struct GCReport: Codable {
    var schema = 2
    var report: UpkeepReport
}
