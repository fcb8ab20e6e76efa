internal import ArgumentParser
internal import ClairoCore
internal import ClairoExecutors
internal import ClairoMedia
internal import ClairoPipeline
internal import Foundation

/// `clairo gc`: removes what nobody will need again.
struct GCCommand: EnvironmentCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc",
        abstract: "Remove leftovers: objects no video refers to, abandoned uploads, old rows.",
        discussion: """
            Goes through the output store and the database. What a job at work may need stays, and so do sources. \
            A failed or cancelled job keeps its segments for --older-than; clairo retry after that starts it over. \
            Webhooks that no process has sent for thirty days go too. \
            With an ECS cluster set, what workers that died have left in the exchange with their tasks goes too.

              clairo gc --dry-run
              clairo gc --older-than 7d
            """)

    @Option(help: ArgumentHelp("Leave what is younger: 30m, 12h, 7d.", valueName: "age"))
    var olderThan: String = "1d"

    @Flag(
        help:
            "Remove published outputs too that the database knows nothing of. Make sure that it is the right database.")
    var unknown = false

    @Flag(help: "Only show which objects would go; uploads and rows are not counted.")
    var dryRun = false

    @Flag(help: "Print one JSON object.")
    var json = false

    @OptionGroup(title: "Services") var serviceOptions: ServiceOptions

    func run(_ environment: CommandEnvironment) async throws {
        let age = try Self.seconds(olderThan)
        let stop = StopRequest()
        let settings = try await serviceOptions.settings(environment)
        let services = Services(settings, environment, stop: stop)
        try await Signals.stopping(stop) {
            try await services.withMetadata { metadata in
                let collection = GarbageCollection(
                    metadata: metadata, output: try services.outputStore(), olderThanSeconds: age, isDryRun: dryRun,
                    removesUnknown: unknown)
                // Abandoned uploads of sources have rows of their own, by which they are swept.
                if !dryRun { try await UploadSweep(try services.registration(metadata, limits: InputLimits())).run() }
                let (dryRun, json) = (dryRun, json)
                @Sendable func say(_ key: ObjectKey) {
                    if dryRun, !json { environment.output("\(Render.printable(key.rawValue))\n") }
                }
                var report = try await collection.run(onRemove: say)
                if settings.value(.ecsCluster) != nil {
                    let left = try await Self.sweep(try services.ecsExchange(), age, dryRun, say)
                    report.objects += left.objects
                    report.bytes += left.bytes
                }
                if json {
                    environment.output(
                        String(decoding: try JSON.encode(GCReport(report: report), pretty: false), as: UTF8.self) + "\n"
                    )
                } else {
                    let objects = "\(report.objects) objects (\(Render.bytes(report.bytes)))"
                    environment.output(
                        dryRun
                            ? "would remove \(objects)\n"
                            : "removed \(objects), \(report.uploads) abandoned uploads, \(report.rows) rows\n")
                }
            }
        }
    }

    private static func sweep(
        _ exchange: any ObjectStore, _ age: Double, _ isDryRun: Bool, _ say: @escaping @Sendable (ObjectKey) -> Void
    ) async throws -> StoreUsage {
        try await onDedicatedThread(name: "sweep") {
            var removed = StoreUsage()
            try ExchangeSweep(exchange, olderThanSeconds: age).run { object throws(ClairoError) in
                say(object.key)
                if !isDryRun { try exchange.delete(object.key) }
                removed.add(bytes: object.size)
            }
            return removed
        }
    }

    /// `90`, `30m`, `12h`, `7d`.
    static func seconds(_ text: String) throws(ClairoError) -> Double {
        let factors: [Character: Double] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        let factor = text.last.flatMap { factors[$0] }
        guard let value = Double(factor == nil ? text : String(text.dropLast())), value >= 0, value.isFinite else {
            throw .usage("--older-than \(text) is not an age", advice: "Give a number with s, m, h or d, such as 7d.")
        }
        return value * (factor ?? 1)
    }
}

/// What `clairo gc --json` prints.
struct GCReport: Codable {
    var schema = 1
    var report: GarbageCollection.Report
}
